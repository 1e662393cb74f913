//! deadpool-postgres as a subject of the row `pool`, and with the argument `network` of that row: obeys lines on standard input until it ends.
//!
//! Settings come from the variables that the driver sets (`PGHOST`, `PGPORT`, `PGUSER`, `PGDATABASE`, `PGSSLROOTCERT`, `BENCH_CONNECTIONS`).
//! A line is `{"operation":"acquire"|"query","tasks":N,"millis":N}`; the answer is `{"operations":N,"micros":N}`.

#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own that measures real time and reads its environment"
)]

mod network;

use std::env;
use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio_postgres_rustls::MakeRustlsConnect;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let pool = pool()?;
    if env::args().nth(1).as_deref() == Some("network") {
        return runtime.block_on(network::serve(&pool));
    }
    let mut answers = std::io::stdout();
    let held = runtime.block_on(warm_up(&pool))?;
    writeln!(answers, "{}", json!({ "ready": held }))?;
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line?)?;
        let number =
            |name: &str| order.get(name).and_then(Value::as_u64).ok_or("a number is missing");
        let (tasks, time) = (number("tasks")?, Duration::from_millis(number("millis")?));
        let query = order.get("operation").and_then(Value::as_str) == Some("query");
        let started = Instant::now();
        let operations = runtime.block_on(load(&pool, query, tasks, time))?;
        let micros = u64::try_from(started.elapsed().as_micros())?;
        writeln!(answers, "{}", json!({ "operations": operations, "micros": micros }))?;
    }
    Ok(())
}

fn pool() -> Result<Pool, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(env::var("PGSSLROOTCERT")?)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = tokio_postgres::Config::new();
    config
        .host(env::var("PGHOST")?)
        .port(env::var("PGPORT")?.parse()?)
        .user(env::var("PGUSER")?)
        .dbname(env::var("PGDATABASE")?)
        .ssl_mode(tokio_postgres::config::SslMode::Require)
        // As our own; libpq and tokio-postgres leave it to the system otherwise, which waits two hours.
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .keepalives_retries(3);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, MakeRustlsConnect::new(tls), recycling);
    let size = env::var("BENCH_CONNECTIONS")?.parse()?;
    Ok(Pool::builder(manager).max_size(size).runtime(Runtime::Tokio1).build()?)
}

/// Opens all connections and prepares the statement on each.
async fn warm_up(pool: &Pool) -> Result<usize, Failure> {
    let mut held = Vec::new();
    for _ in 0..pool.status().max_size {
        let connection = pool.get().await?;
        connection.query_one(&connection.prepare_cached("select 1").await?, &[]).await?;
        held.push(connection);
    }
    Ok(held.len())
}

/// How many operations `tasks` tasks get done in `time`.
async fn load(pool: &Pool, query: bool, tasks: u64, time: Duration) -> Result<u64, Failure> {
    let end = Instant::now() + time;
    let mut running = Vec::new();
    for _ in 0..tasks {
        let pool = pool.clone();
        running.push(tokio::spawn(async move {
            let mut operations = 0_u64;
            while Instant::now() < end {
                let connection = pool.get().await?;
                if query {
                    let statement = connection.prepare_cached("select 1").await?;
                    let _: i32 = connection.query_one(&statement, &[]).await?.get(0);
                }
                operations += 1;
            }
            Ok::<_, Failure>(operations)
        }));
    }
    let mut operations = 0;
    for task in running {
        operations += task.await??;
    }
    Ok(operations)
}
