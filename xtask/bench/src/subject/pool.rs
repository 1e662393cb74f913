//! A pool under load. Orders and answers are lines of JSON:
//! `{"operation":"acquire"|"query","tasks":N,"millis":N}` and `{"operations":N,"micros":N,"errors":N,"p99":N}`, the last in microseconds.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lakebase::core::{CredentialRequest, EndpointName};
use lakebase::sqlx::postgres::{PgPool, PgPoolOptions};
use lakebase::sqlx::{Error, query_scalar};
use lakebase::workspace::WorkspaceClient;
use lakebase::{Lakebase, LakebasePool, PoolOptions};
use serde_json::{Value, json};

use super::orders::obey;
use super::settings::{self, connections, lifetime};
use crate::clock;
use crate::measurement::quantile;

/// How long one acquire may take; enough for any machine, short enough to end a run that went wrong.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the timer of plain sqlx fetches a token.
const TIMER: Duration = Duration::from_secs(1);

/// What a pool can be asked for.
trait Subject: Clone + Send + Sync + 'static {
    /// Checks a connection out and back in.
    fn acquire(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Runs one statement on any connection.
    fn query(&self) -> impl Future<Output = Result<i32, Error>> + Send;
}

impl Subject for LakebasePool {
    async fn acquire(&self) -> Result<(), Error> {
        Self::acquire(self).await.map(drop)
    }

    async fn query(&self) -> Result<i32, Error> {
        query_scalar("select 1").fetch_one(self).await
    }
}

impl Subject for PgPool {
    async fn acquire(&self) -> Result<(), Error> {
        Self::acquire(self).await.map(drop)
    }

    async fn query(&self) -> Result<i32, Error> {
        query_scalar("select 1").fetch_one(self).await
    }
}

pub(super) async fn ours() -> Result<()> {
    let options = PoolOptions::new()
        .max_connections(connections()?)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(lifetime()?);
    serve(Lakebase::from_env()?.pool(options).await?).await
}

/// sqlx's own pool; `ping` is its default.
pub(super) async fn sqlx(ping: bool) -> Result<()> {
    let (options, _relay) = settings::sqlx(settings::maybe)?;
    serve(sqlx_options()?.test_before_acquire(ping).connect_with(options).await?).await
}

/// sqlx's own pool with a loop beside it that fetches a token and puts it into the options; no pings.
pub(super) async fn sqlx_timer() -> Result<()> {
    let (options, _relay) = settings::sqlx(settings::maybe)?;
    let lakebase = Lakebase::from_env()?;
    let client = lakebase.workspace().context("no workspace")?.clone();
    let options = options.password(&token(&client).await?);
    let pool = sqlx_options()?.test_before_acquire(false).connect_with(options.clone()).await?;
    let swapped = pool.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIMER).await;
            // The next second brings another chance.
            if let Ok(token) = token(&client).await {
                swapped.set_connect_options(options.clone().password(&token));
            }
        }
    });
    serve(pool).await
}

async fn token(client: &WorkspaceClient) -> Result<String> {
    let endpoint: EndpointName = settings::get("LAKEBASE_ENDPOINT")?;
    let credential = client.generate_credential(&CredentialRequest::new(endpoint)).await?;
    Ok(credential.token.expose().to_owned())
}

fn sqlx_options() -> Result<PgPoolOptions> {
    let options = PgPoolOptions::new().max_connections(connections()?);
    Ok(options.acquire_timeout(ACQUIRE_TIMEOUT).max_lifetime(lifetime()?))
}

/// Obeys orders until standard input ends.
async fn serve(pool: impl Subject) -> Result<()> {
    // All connections exist and have the statement prepared before anything is measured.
    load(&pool, true, u64::from(connections()?) * 2, Duration::from_millis(200)).await?;
    obey(async |order| {
        let (tasks, time) = (order.number("tasks")?, order.millis("millis")?);
        load(&pool, order.text("operation")? == "query", tasks, time).await
    })
    .await
}

/// What `tasks` tasks get done in `time`.
async fn load(pool: &impl Subject, query: bool, tasks: u64, time: Duration) -> Result<Value> {
    let started = clock::now();
    let first = Arc::new(std::sync::OnceLock::new());
    let mut running = Vec::new();
    for _ in 0..tasks {
        let (pool, first) = (pool.clone(), Arc::clone(&first));
        running.push(tokio::spawn(async move {
            let (mut times, mut errors) = (Vec::new(), 0_u64);
            let mut last = clock::now();
            while clock::since(started) < time {
                let done = if query { pool.query().await.map(drop) } else { pool.acquire().await };
                if let Err(error) = done {
                    errors += 1;
                    first.get_or_init(|| error.to_string());
                }
                let now = clock::now();
                times.push((now - last).as_secs_f64() * 1e6);
                last = now;
            }
            (times, errors)
        }));
    }
    let (mut times, mut errors) = (Vec::new(), 0);
    for task in running {
        let (more, failed) = task.await?;
        times.extend(more);
        errors += failed;
    }
    let micros = clock::since(started).as_secs_f64() * 1e6;
    Ok(json!({
        "operations": times.len(),
        "micros": micros,
        "errors": errors,
        "error": first.get(),
        "p99": quantile(&times, 0.99),
    }))
}
