//! The same on smol; on async-std only `block_on` differs.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: smol
use lakebase::{Lakebase, PoolOptions, sqlx};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let pool = Lakebase::from_env()?.pool(PoolOptions::new()).await?;
        let one: i32 = sqlx::query_scalar("select 1").fetch_one(&pool).await?;
        println!("the answer is {one}");
        pool.close().await;
        Ok(())
    })
}
// ANCHOR_END: smol
