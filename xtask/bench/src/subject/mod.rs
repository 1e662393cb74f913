//! Subjects that are this program again: ours and plain sqlx.

mod connect;
mod network;
mod orders;
mod pool;
mod pools;
mod settings;

use std::future::Future;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::clock::now;

/// Runs one subject; what it prints is its answer.
pub(crate) fn run(name: &str) -> Result<()> {
    match name {
        "connect-ours" => say(&on_tokio(connect::ours())?),
        "connect-sqlx" => say(&on_tokio(connect::sqlx())?),
        "pool-ours" => on_tokio(pool::ours()),
        "pool-sqlx" => on_tokio(pool::sqlx(true)),
        "pool-sqlx-no-ping" => on_tokio(pool::sqlx(false)),
        "pool-sqlx-timer" => on_tokio(pool::sqlx_timer()),
        "network-ours" => on_tokio(pools::ours()),
        "network-sqlx" => on_tokio(pools::sqlx()),
        other => bail!("there is no subject `{other}`"),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the last thing a subject does")]
fn say(answer: &Value) -> Result<()> {
    println!("{answer}");
    Ok(())
}

fn on_tokio<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build()?.block_on(work)
}
