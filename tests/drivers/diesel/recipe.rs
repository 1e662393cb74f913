//! diesel on libpq, which blocks.

// ANCHOR: recipe
use diesel::pg::PgConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use lakebase::Tunnel;

/// A pool. Keep the tunnel for as long as the pool: sessions end with it.
pub fn pool(
    tunnel: &Tunnel,
) -> Result<Pool<ConnectionManager<PgConnection>>, Box<dyn std::error::Error + Send + Sync>> {
    let manager = ConnectionManager::new(tunnel.url().expose());
    // Without `min_idle`, all five are opened at once.
    Ok(Pool::builder().max_size(5).min_idle(Some(0)).build(manager)?)
}
// ANCHOR_END: recipe
