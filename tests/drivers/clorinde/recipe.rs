//! clorinde, whose functions take a client of the pool. `queries/sessions.sql` has the query.

// ANCHOR: recipe
use clorinde::queries::sessions::process;
use lakebase::deadpool_postgres::{Client, Pool, PoolError};

/// Checks a client out.
pub async fn client(pool: &Pool) -> Result<Client, PoolError> {
    pool.get().await
}

/// Runs the query that is called `process`.
pub async fn session(client: &Client) -> Result<i32, PoolError> {
    Ok(process().bind(client).one().await?)
}
// ANCHOR_END: recipe
