//! A pool whose logins never fail because of a token: for services.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: pool
use lakebase::{Lakebase, PoolOptions, sqlx};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lakebase = Lakebase::from_env()?;
    let pool = lakebase.pool(PoolOptions::new().max_connections(5)).await?;

    let one: i32 = sqlx::query_scalar("select 1").fetch_one(&pool).await?;
    println!("the answer is {one}");

    let mut transaction = pool.begin().await?;
    sqlx::query("create temporary table visits (at timestamptz)")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("insert into visits values (now())").execute(&mut *transaction).await?;
    transaction.commit().await?;

    pool.close().await;
    Ok(())
}
// ANCHOR_END: pool
