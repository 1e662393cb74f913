//! A pool of deadpool under load: over our sessions, and over tokio-postgres' own. What differs is who logs in and what carries the bytes.

use std::time::Instant;

use serde_json::json;

use crate::orders::obey;
use crate::{Pool, Result, now};

/// Obeys orders, once all connections are open.
pub(super) async fn serve(pool: &Pool) -> Result<()> {
    warm_up(pool).await?;
    obey(async |order| {
        let (tasks, time) = (order.number("tasks")?, order.millis("millis")?);
        let query = order.text("operation")? == "query";
        let started = now();
        let mut running = Vec::new();
        for _ in 0..tasks {
            running.push(tokio::spawn(repeat(pool.clone(), query, started + time)));
        }
        let mut operations = 0;
        for task in running {
            operations += task.await??;
        }
        let micros = (now() - started).as_secs_f64() * 1e6;
        Ok(json!({ "operations": operations, "micros": micros }))
    })
    .await
}

/// Opens all connections and prepares the statement on each.
async fn warm_up(pool: &Pool) -> Result<()> {
    let mut held = Vec::new();
    for _ in 0..pool.status().max_size {
        let connection = pool.get().await?;
        connection.query_one(&connection.prepare_cached("select 1").await?, &[]).await?;
        held.push(connection);
    }
    Ok(())
}

/// How many operations one task gets done until `end`.
async fn repeat(pool: Pool, query: bool, end: Instant) -> Result<u64> {
    let mut operations = 0;
    while now() < end {
        let connection = pool.get().await?;
        if query {
            let statement = connection.prepare_cached("select 1").await?;
            let _: i32 = connection.query_one(&statement, &[]).await?.get(0);
        }
        operations += 1;
    }
    Ok(operations)
}
