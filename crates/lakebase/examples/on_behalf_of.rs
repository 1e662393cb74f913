//! A service that acts in the name of its users: each logs in with the token that their request brought.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: on_behalf_of
use lakebase::Lakebase;
use lakebase::sqlx::{Connection, query_scalar};

/// What the user may see. `token` is the header `x-forwarded-access-token` of the request.
async fn visible(service: &Lakebase, token: &str) -> Result<i64, Box<dyn std::error::Error>> {
    let mut conn = service.on_behalf_of(token)?.connect().await?;
    let count = query_scalar("select count(*) from visits").fetch_one(&mut conn).await?;
    conn.close().await?;
    Ok(count)
}
// ANCHOR_END: on_behalf_of

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: on_behalf_of FILE-WITH-TOKEN")?;
    let token = std::fs::read_to_string(file)?;
    println!("{} visits", visible(&Lakebase::from_env()?, token.trim()).await?);
    Ok(())
}
