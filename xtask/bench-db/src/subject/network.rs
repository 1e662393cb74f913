//! A pool that is asked for answers by several tasks at once. Orders and answers are lines of JSON:
//! `{"tasks":N,"sql":TEXT,"limit":MILLIS}` and `{"millis":N,"failed":N,"why":TEXT}`. The first order opens the pool.

use std::future::Future;
use std::io::BufRead as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::join_all;
use lakebase::sqlx::postgres::{PgPool, PgPoolOptions};
use lakebase::sqlx::{AssertSqlSafe, query};
use lakebase::{Lakebase, PoolOptions};
use serde_json::{Value, json};

use super::settings::{self, connections};
use crate::clock;

pub(super) async fn ours() -> Result<()> {
    serve(async || {
        let options = PoolOptions::new().max_connections(connections()?);
        let pool = Lakebase::from_env()?.pool(options).await?;
        Ok((*pool).clone())
    })
    .await
}

pub(super) async fn sqlx() -> Result<()> {
    serve(async || {
        let (options, _) = settings::sqlx()?;
        Ok(PgPoolOptions::new().max_connections(connections()?).connect_lazy_with(options))
    })
    .await
}

/// Obeys orders until standard input ends.
async fn serve<F: Future<Output = Result<PgPool>>>(open: impl Fn() -> F) -> Result<()> {
    println!("{}", json!({ "ready": true }));
    let mut opened = None;
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line?)?;
        let number = |name: &str| order.get(name).and_then(Value::as_u64).context("no number");
        let (tasks, limit) = (number("tasks")?, Duration::from_millis(number("limit")?));
        let sql = order.get("sql").and_then(Value::as_str).context("no sql")?;
        let started = clock::now();
        let pool = match opened.take() {
            Some(pool) => pool,
            None => open().await?,
        };
        let task = || async {
            match tokio::time::timeout(limit, query(AssertSqlSafe(sql)).execute(&pool)).await {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("no answer".to_owned()),
            }
        };
        let failures: Vec<_> = join_all((0..tasks).map(|_| task())).await;
        let millis = clock::millis(clock::since(started));
        let failures: Vec<_> = failures.into_iter().flatten().collect();
        println!(
            "{}",
            json!({ "millis": millis, "failed": failures.len(), "why": failures.first() })
        );
        opened = Some(pool);
    }
    Ok(())
}
