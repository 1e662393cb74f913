//! The row `network`: a line is `{"tasks":N,"sql":TEXT,"limit":MILLIS}`, the answer `{"millis":N,"failed":N,"why":TEXT}`.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use serde_json::{Value, json};

use crate::Failure;

/// Obeys orders until standard input ends.
pub(crate) async fn serve(pool: &Pool) -> Result<(), Failure> {
    let mut answers = std::io::stdout();
    writeln!(answers, "{}", json!({ "ready": true }))?;
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line?)?;
        let number =
            |name: &str| order.get(name).and_then(Value::as_u64).ok_or("a number is missing");
        let (tasks, limit) = (number("tasks")?, Duration::from_millis(number("limit")?));
        let sql = order.get("sql").and_then(Value::as_str).ok_or("sql is missing")?.to_owned();
        let started = Instant::now();
        let mut running = Vec::new();
        for _ in 0..tasks {
            let (pool, sql) = (pool.clone(), sql.clone());
            running.push(tokio::spawn(async move {
                match tokio::time::timeout(limit, query(&pool, &sql)).await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(_) => Some("no answer".to_owned()),
                }
            }));
        }
        let mut failures = Vec::new();
        for task in running {
            failures.extend(task.await?);
        }
        let millis = started.elapsed().as_secs_f64() * 1e3;
        let why = failures.first();
        writeln!(answers, "{}", json!({ "millis": millis, "failed": failures.len(), "why": why }))?;
    }
    Ok(())
}

async fn query(pool: &Pool, sql: &str) -> Result<(), Failure> {
    pool.get().await?.query(sql, &[]).await?;
    Ok(())
}
