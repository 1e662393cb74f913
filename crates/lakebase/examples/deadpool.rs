//! A pool of deadpool-postgres.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: deadpool
use lakebase::Lakebase;
use lakebase::deadpool_postgres::PoolConfig;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = Lakebase::from_env()?.deadpool(PoolConfig::new(15))?;
    let client = pool.get().await?;
    let statement = client.prepare_cached("select $1::int4 * 2").await?;
    let answer: i32 = client.query_one(&statement, &[&21]).await?.get(0);
    println!("the answer is {answer}");

    let status = pool.status();
    println!("{} open, {} idle, {} waiting", status.size, status.available, status.waiting);
    Ok(())
}
// ANCHOR_END: deadpool
