//! A pool of deadpool over our sessions under load, by the same code as the peer's (`xtask/peers/db`): what differs is who logs in and what
//! carries the bytes.

use std::io::BufRead as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lakebase::Lakebase;
use lakebase::deadpool_postgres::{Pool, PoolConfig};
use serde_json::{Value, json};

use super::settings::connections;
use crate::clock;

/// Obeys orders until standard input ends.
pub(super) async fn ours() -> Result<()> {
    let size = connections()?.try_into()?;
    let pool = Lakebase::from_env()?.deadpool(PoolConfig::new(size))?;
    let held = warm_up(&pool).await?;
    println!("{}", json!({ "ready": held }));
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line?)?;
        let number = |name: &str| {
            order.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}"))
        };
        let (tasks, time) = (number("tasks")?, Duration::from_millis(number("millis")?));
        let query = order.get("operation").and_then(Value::as_str) == Some("query");
        let started = clock::now();
        let operations = load(&pool, query, tasks, time).await?;
        let micros = clock::since(started).as_secs_f64() * 1e6;
        println!("{}", json!({ "operations": operations, "micros": micros }));
    }
    Ok(())
}

/// Opens all connections and prepares the statement on each.
async fn warm_up(pool: &Pool) -> Result<usize> {
    let mut held = Vec::new();
    for _ in 0..pool.status().max_size {
        let connection = pool.get().await?;
        connection.query_one(&connection.prepare_cached("select 1").await?, &[]).await?;
        held.push(connection);
    }
    Ok(held.len())
}

/// How many operations `tasks` tasks get done in `time`.
async fn load(pool: &Pool, query: bool, tasks: u64, time: Duration) -> Result<u64> {
    let end = clock::now() + time;
    let mut running = Vec::new();
    for _ in 0..tasks {
        let pool = pool.clone();
        running.push(tokio::spawn(async move {
            let mut operations = 0_u64;
            while clock::now() < end {
                let connection = pool.get().await?;
                if query {
                    let statement = connection.prepare_cached("select 1").await?;
                    let _: i32 = connection.query_one(&statement, &[]).await?.get(0);
                }
                operations += 1;
            }
            anyhow::Ok(operations)
        }));
    }
    let mut operations = 0;
    for task in running {
        operations += task.await??;
    }
    Ok(operations)
}
