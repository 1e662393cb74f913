//! lakebase-sqlx
