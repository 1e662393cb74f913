//! A pool of bb8.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: bb8
use lakebase::{Lakebase, bb8};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = Lakebase::from_env()?.bb8(bb8::Pool::builder().max_size(15)).await?;
    let client = pool.get().await?;
    let answer: i32 = client.query_one("select 42", &[]).await?.get(0);
    println!("the answer is {answer}");

    let state = pool.state();
    let gets = &state.statistics;
    let waiting = gets.get_started - gets.get_direct - gets.get_waited - gets.get_timed_out;
    println!("{} open, {} idle, {waiting} waiting", state.connections, state.idle_connections);
    Ok(())
}
// ANCHOR_END: bb8
