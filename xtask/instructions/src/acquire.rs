//! Checking a connection out of a warm pool and back in: ours, and sqlx's own pool, from which ours is made.
//!
//! Back in means that the connection is idle again, after the ping of sqlx's release.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::connect::{Auth, Connector, ConnectorConfig, Sources};
use lakebase_core::{SslMode, Tls};
use lakebase_sqlx::{LakebasePool, PoolOptions, SqlxFactory};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};

use crate::Fault;
use crate::server::{PORT, Server};
use crate::source::Source;

const CONNECTIONS: u32 = 4;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than any count takes.
const LIFETIME: Duration = Duration::from_secs(36_000);

/// Takes `times` connections from our pool.
pub(crate) async fn ours(times: u32) -> Result<(), Fault> {
    let server = Server::start()?;
    let runtime = lakebase_runtime::tokio();
    let sources = Sources {
        credentials: Some(Arc::new(Source(Arc::clone(&runtime.clock)))),
        ..Sources::default()
    };
    let connector = Connector::new(config(&server)?, sources, &runtime)?;
    let factory = SqlxFactory::new(&runtime);
    let options = PoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(LIFETIME)
        .max_lifetime(LIFETIME)
        .ping_after_idle(LIFETIME);
    let pool = LakebasePool::open(connector, factory, options).await?;
    circulate(&pool, times, || pool.acquire()).await
}

/// Takes `times` connections from sqlx's pool.
pub(crate) async fn sqlx(times: u32) -> Result<(), Fault> {
    let server = Server::start()?;
    let options = PgConnectOptions::new_without_pgpass()
        .socket(server.folder())
        .port(PORT)
        .username("user")
        .database("database")
        .password("password")
        .ssl_mode(PgSslMode::Disable);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(LIFETIME)
        .max_lifetime(LIFETIME)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    circulate(&pool, times, || pool.acquire()).await
}

/// Checks out and in, one connection after the other, of a pool that is full of idle ones.
async fn circulate<F>(pool: &PgPool, times: u32, acquire: impl Fn() -> F) -> Result<(), Fault>
where
    F: Future<Output = Result<PoolConnection<Postgres>, sqlx::Error>>,
{
    let mut all = Vec::new();
    for _ in 0..CONNECTIONS {
        all.push(acquire().await?);
    }
    drop(all);
    settle(pool).await;
    for _ in 0..times {
        drop(acquire().await?);
        settle(pool).await;
    }
    Ok(())
}

/// Lets the tasks of the release and of the server run until every connection is idle.
async fn settle(pool: &PgPool) {
    while pool.num_idle() < CONNECTIONS as usize {
        tokio::task::yield_now().await;
    }
}

fn config(server: &Server) -> Result<ConnectorConfig, Fault> {
    Ok(ConnectorConfig {
        target: Some("projects/p/branches/b/endpoints/e".parse()?),
        access: Default::default(),
        pooled: false,
        host: Some("localhost".into()),
        socket_directory: Some(server.folder().to_path_buf()),
        addresses: Vec::new(),
        port: PORT,
        database: "database".into(),
        user: Some("user".into()),
        auth: Auth::Credential { ttl: None, claims: Vec::new() },
        tls: Tls { mode: SslMode::Disable, extra_roots: None },
        ssl_mode_origin: None,
        tcp: Default::default(),
        load_balance_hosts: Default::default(),
        require_auth: Default::default(),
        application_name: None,
        options: Vec::new(),
        policy: Default::default(),
    })
}
