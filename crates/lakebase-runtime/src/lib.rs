//! lakebase-runtime
