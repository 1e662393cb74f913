//! lakebase
