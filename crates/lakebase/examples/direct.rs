//! One connection: for scripts, notebooks and migrations.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: direct
use lakebase::Lakebase;
use lakebase::sqlx::{Connection, query_scalar};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut conn = Lakebase::from_env()?.connect().await?;
    let who: String = query_scalar("select current_user::text").fetch_one(&mut conn).await?;
    println!("logged in as {who}");
    conn.close().await?;
    Ok(())
}
// ANCHOR_END: direct
