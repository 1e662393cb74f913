//! Reading from a replica, and limits other than the defaults.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: limits
use std::time::Duration;

use lakebase::{Access, ConnectPolicy, Lakebase, PoolOptions, sqlx};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lakebase = Lakebase::builder()
        // A read-only endpoint if the branch has one, else the read-write one.
        .access(Access::PreferReadOnly)
        // Give a suspended compute two minutes to wake.
        .connect_policy(ConnectPolicy { budget: Duration::from_secs(120), ..Default::default() })
        .build()?;
    let options = PoolOptions::new()
        .max_connections(15)
        .keep_idle(5)
        .acquire_timeout(Duration::from_secs(120))
        .max_lifetime(Duration::from_secs(30 * 60));
    let pool = lakebase.pool(options).await?;
    let writable: bool =
        sqlx::query_scalar("select current_setting('transaction_read_only') = 'off'")
            .fetch_one(&pool)
            .await?;
    println!("writable: {writable}");
    pool.close().await;
    Ok(())
}
// ANCHOR_END: limits
