//! lakebase-workspace
