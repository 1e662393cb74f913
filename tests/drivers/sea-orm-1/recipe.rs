//! sea-orm 1, whose sqlx is 0.8.

// ANCHOR: recipe
use lakebase::{Lakebase, Tunnel};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};

/// A pool. Keep the tunnel for as long as the pool: sessions end with it.
pub async fn database(
    lakebase: &Lakebase,
) -> Result<(DatabaseConnection, Tunnel), Box<dyn std::error::Error + Send + Sync>> {
    let tunnel = lakebase.tunnel().await?;
    let mut options = ConnectOptions::new(tunnel.url().expose());
    options.max_connections(5);
    Ok((Database::connect(options).await?, tunnel))
}
// ANCHOR_END: recipe
