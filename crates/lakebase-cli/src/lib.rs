//! lakebase-cli
