//! A pool that is asked for answers by several tasks at once; by this file in `xtask/peers/db`, too. An order is
//! `{"tasks":N,"sql":TEXT,"limit":MILLIS}`, the answer `{"millis":N,"failed":N,"why":TEXT}`. The first order opens the pool.

use std::future::Future;

use serde_json::json;

use super::orders::obey;
use super::{Result, now};

/// Obeys orders; `run` says why a statement failed.
pub(crate) async fn serve<P: Clone, R>(
    open: impl AsyncFn() -> Result<P>,
    run: impl Fn(P, String) -> R,
) -> Result<()>
where
    R: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut opened = None;
    obey(async |order| {
        let (tasks, limit) = (order.number("tasks")?, order.millis("limit")?);
        let started = now();
        let pool = match opened.take() {
            Some(pool) => pool,
            None => open().await?,
        };
        let mut running = Vec::new();
        for _ in 0..tasks {
            let work = run(pool.clone(), order.text("sql")?.to_owned());
            running.push(tokio::spawn(tokio::time::timeout(limit, work)));
        }
        let mut failures = Vec::new();
        for task in running {
            failures.extend(task.await?.unwrap_or_else(|_| Err("no answer".to_owned())).err());
        }
        let millis = (now() - started).as_secs_f64() * 1e3;
        opened = Some(pool);
        Ok(json!({ "millis": millis, "failed": failures.len(), "why": failures.first() }))
    })
    .await
}
