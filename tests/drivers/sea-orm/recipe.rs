//! sea-orm 2, which takes the pool of `lakebase::sqlx` as it is.

// ANCHOR: recipe
use std::time::Duration;

use lakebase::{Lakebase, LakebasePool, PoolOptions, sqlx::PgPool};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};

/// The pool is there to be closed and watched; the database holds a clone of it.
///
/// Each statement asks first whether its connection still stands, as with sea-orm's own pool.
pub async fn database(
    lakebase: &Lakebase,
) -> Result<(DatabaseConnection, LakebasePool), lakebase::Error> {
    let options = PoolOptions::new().max_connections(5).ping_after_idle(Duration::ZERO);
    let pool = lakebase.pool(options).await?;
    let database = SqlxPostgresConnector::from_sqlx_postgres_pool(PgPool::clone(&pool));
    Ok((database, pool))
}
// ANCHOR_END: recipe
