//! lakebase-core
