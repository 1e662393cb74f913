//! diesel-async, with either of its pools.

// ANCHOR: recipe
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, bb8, deadpool};
use lakebase::Tunnel;

/// deadpool. Keep the tunnel for as long as the pool: sessions end with it.
pub fn deadpool(
    tunnel: &Tunnel,
) -> Result<deadpool::Pool<AsyncPgConnection>, deadpool::BuildError> {
    let manager = AsyncDieselConnectionManager::new(tunnel.url().expose());
    deadpool::Pool::builder(manager).max_size(5).build()
}

/// bb8.
pub async fn bb8(
    tunnel: &Tunnel,
) -> Result<bb8::Pool<AsyncPgConnection>, diesel_async::pooled_connection::PoolError> {
    let manager = AsyncDieselConnectionManager::new(tunnel.url().expose());
    bb8::Pool::builder().max_size(5).build(manager).await
}
// ANCHOR_END: recipe
