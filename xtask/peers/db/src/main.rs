//! deadpool-postgres as a subject: obeys lines on standard input until it ends. The argument is `ours` or `pool` for the row `pool`, over our
//! sessions or over its own, and `network` for that row. Both pools are in one program because two programs differ by 5 % in where their
//! code and data are.
//!
//! Settings come from the variables that the driver sets (`PGHOST`, `PGPORT`, `PGUSER`, `PGDATABASE`, `PGSSLROOTCERT`, `BENCH_CONNECTIONS`).
//! A line is `{"operation":"acquire"|"query","tasks":N,"millis":N}`; the answer is `{"operations":N,"micros":N}`.

#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own that measures real time and reads its environment"
)]

mod deadpool;
#[path = "../../../bench/src/subject/network.rs"]
mod network;
#[path = "../../../bench/src/subject/orders.rs"]
mod orders;

use std::env;
use std::error::Error;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolConfig, RecyclingMethod, Runtime};
use lakebase::Lakebase;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // Where a pool's counters lie in the processor's cache lines makes a fifth of an acquire by several tasks, and is the same at each start
    // of one program. Here it is not.
    let random = RandomState::new().build_hasher().finish();
    let _shift = Vec::<u64>::with_capacity(usize::try_from(random % 64)? * 2);
    // A runtime that has any timer pays for it at each wait. Services have some, ours has one for the token: here both pools have one.
    runtime.spawn(async { tokio::time::sleep(Duration::from_secs(3_600)).await });
    match env::args().nth(1).as_deref() {
        Some("ours") => {
            let size = PoolConfig::new(connections()?);
            runtime
                .block_on(async { deadpool::serve(&Lakebase::from_env()?.deadpool(size)?).await })
        }
        Some("pool") => runtime.block_on(deadpool::serve(&pool()?)),
        Some("network") => {
            let pool = pool()?;
            runtime.block_on(network::serve(async || Ok(pool.clone()), run))
        }
        other => Err(format!("there is no subject {other:?}").into()),
    }
}

fn connections() -> Result<usize> {
    Ok(env::var("BENCH_CONNECTIONS")?.parse()?)
}

async fn run(pool: Pool, sql: String) -> Result<(), String> {
    let client = pool.get().await.map_err(|error| error.to_string())?;
    client.query(&sql, &[]).await.map(drop).map_err(|error| error.to_string())
}

fn now() -> Instant {
    Instant::now()
}

fn pool() -> Result<Pool> {
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
    Ok(Pool::builder(manager).max_size(connections()?).runtime(Runtime::Tokio1).build()?)
}
