//! lakebase-testkit
