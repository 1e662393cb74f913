//! A worker on smol: a loop that runs a statement for every line of its input.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

use lakebase::{Lakebase, PoolOptions, sqlx};
use smol::io::{AsyncBufReadExt, BufReader};
use smol::stream::StreamExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let lakebase = Lakebase::from_env()?;
        let pool = lakebase.pool(PoolOptions::new().max_connections(2)).await?;
        let mut lines = BufReader::new(smol::Unblock::new(std::io::stdin())).lines();
        while let Some(line) = lines.next().await {
            let length: i32 =
                sqlx::query_scalar("select length($1)").bind(line?).fetch_one(&pool).await?;
            let ready = lakebase.status().is_none_or(|status| status.is_ready());
            println!("{length} {ready}");
        }
        println!("closed: {}", pool.close().await);
        Ok(())
    })
}
