//! sqlx 0.8.

// ANCHOR: recipe
use lakebase::{Lakebase, Tunnel};
use sqlx::postgres::{PgPool, PgPoolOptions};

/// A pool. Keep the tunnel for as long as the pool: sessions end with it.
pub async fn pool(
    lakebase: &Lakebase,
) -> Result<(PgPool, Tunnel), Box<dyn std::error::Error + Send + Sync>> {
    let tunnel = lakebase.tunnel().await?;
    let pool = PgPoolOptions::new().max_connections(5).connect(tunnel.url().expose()).await?;
    Ok((pool, tunnel))
}
// ANCHOR_END: recipe
