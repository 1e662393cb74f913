//! One client of tokio-postgres, and what drives it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what an example is for"
)]

// ANCHOR: tokio_postgres
use lakebase::Lakebase;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lakebase = Lakebase::from_env()?;
    let (client, connection) = lakebase.tokio_postgres().await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("the connection ended: {error}");
        }
    });
    let row = client.query_one("select current_user::text", &[]).await?;
    println!("logged in as {}", row.get::<_, &str>(0));
    lakebase.cancel_query(&client.cancel_token()).await?;
    Ok(())
}
// ANCHOR_END: tokio_postgres
