//! A thousand rotations: on each runtime eight tasks query through the pool of each driver, and pgbench through a proxy, while hour
//! after hour of token life passes.
//!
//! Hours pass on the wall clocks of client and service, as when a machine sleeps. Monotonic clock and timers
//! are real, and with them every limit of the client. Most of the time goes into logins, of which each rotation
//! has at least one.

#[cfg(feature = "tokio")]
mod pooled;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt as _, StreamExt as _};
use lakebase::core::{BoxFuture, Clock, Runtime, Spawn, Timestamp};
use lakebase::sqlx::{self, Connection as _};
use lakebase::{Lakebase, LakebasePool, PoolOptions, RecyclingOptions};
use lakebase_emulator::Emulator;
#[cfg(feature = "tokio")]
use lakebase_proxy::{Address, Drained, Limits, Listener, Monitor, Proxy};

use crate::support::{Setup, until};
use crate::tokio_postgres;
use crate::tokio_postgres::pool::{Failure, Kind, kinds};

on_each_runtime! { a_thousand_rotations_of_pools }

const ROTATIONS: u64 = 1000;
/// Of each pool.
const TASKS: usize = 8;
/// Into the window of a token that lives for an hour, and not out of it.
const STEP: Duration = Duration::from_secs(55 * 60);

/// Connections are replaced twice a second.
const LIFETIME: Duration = Duration::from_millis(500);

/// A pool of any driver.
#[derive(Clone)]
enum Pool {
    Sqlx(LakebasePool),
    TokioPostgres(Kind, tokio_postgres::pool::Pool),
}

impl Pool {
    /// One of each driver that the runtime has.
    async fn all(lakebase: &Lakebase) -> Vec<Self> {
        let options = PoolOptions::new().max_connections(6).max_lifetime(LIFETIME);
        let mut pools = vec![Self::Sqlx(lakebase.pool(options).await.unwrap())];
        for kind in kinds() {
            let options = RecyclingOptions::new().max_lifetime(LIFETIME);
            pools.push(Self::TokioPostgres(kind, kind.open(lakebase, 6, options).await.unwrap()));
        }
        pools
    }

    /// Why a query failed.
    async fn failure(&self) -> Option<String> {
        match self.one().await {
            Ok(one) => (one != 1).then(|| format!("{}: {one}", self.name())),
            Err(error) => Some(format!("{}: {error:?}", self.name())),
        }
    }

    async fn one(&self) -> Result<i32, Failure> {
        match self {
            Self::Sqlx(pool) => Ok(sqlx::query_scalar("select 1").fetch_one(pool).await?),
            Self::TokioPostgres(_, pool) => pool.one().await,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Sqlx(_) => "sqlx".to_owned(),
            Self::TokioPostgres(kind, _) => format!("{kind:?}"),
        }
    }

    async fn close(self) {
        if let Self::Sqlx(pool) = &self {
            assert!(pool.close().await, "in use: {pool:?}");
        }
    }
}

/// A real clock whose wall is ahead.
#[derive(Debug)]
struct Ahead {
    clock: Arc<dyn Clock>,
    seconds: AtomicU64,
}

impl Clock for Ahead {
    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn wall(&self) -> Timestamp {
        let ahead = Duration::from_secs(self.seconds.load(Ordering::SeqCst));
        self.clock.wall().saturating_add(ahead)
    }
}

impl Ahead {
    fn of(clock: &Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock: clock.clone(), seconds: AtomicU64::new(0) })
    }

    /// Lets most of an hour pass, for the service as well.
    fn step(&self, emulator: &Emulator) {
        emulator.advance(STEP);
        self.seconds.fetch_add(STEP.as_secs(), Ordering::SeqCst);
    }
}

/// Counts the tasks that run: each of them holds the count.
#[derive(Debug)]
struct Counting {
    spawn: Arc<dyn Spawn>,
    alive: Arc<()>,
}

impl Spawn for Counting {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let alive = Arc::clone(&self.alive);
        self.spawn.spawn(Box::pin(async move {
            task.await;
            drop(alive);
        }));
    }
}

/// One finished query: the rotation after which it began, and why it failed.
type Finished = (u64, Option<String>);

/// Queries until nobody listens any more.
async fn work(pool: Pool, rotation: Arc<AtomicU64>, mut report: mpsc::Sender<Finished>) {
    loop {
        let begun = rotation.load(Ordering::SeqCst);
        let failure = pool.failure().await;
        if report.send((begun, failure)).await.is_err() {
            return;
        }
    }
}

/// Lets the hours pass. Returns how many queries finished, all of them well.
async fn rotate(
    (emulator, clock): (&Emulator, &Ahead),
    lakebase: &Lakebase,
    rotation: &AtomicU64,
    tasks: &mut [mpsc::Receiver<Finished>],
) -> u64 {
    let cache = lakebase.connector().credentials().await.unwrap().unwrap();
    let mut held = cache.get().await.unwrap();
    let mut queries = 0;
    for number in 1..=ROTATIONS {
        clock.step(emulator);
        // The old token, at once; the next one is on its way.
        let old = lakebase.credential().await.unwrap();
        let new = cache.changed(Some(held.generation())).await;
        assert!(old.generation() <= new.generation() && held.generation() < new.generation());
        held = new;
        rotation.store(number, Ordering::SeqCst);
        // A login of the new token for certain, besides those of the pool.
        lakebase.connect().await.unwrap().close().await.unwrap();
        // No query is under way that began with an older token: none takes longer than a token lives.
        for task in &mut *tasks {
            loop {
                let (begun, failure) = task.next().await.unwrap();
                assert_eq!(failure, None, "after {number} rotations");
                queries += 1;
                if begun == number {
                    break;
                }
            }
        }
    }
    queries
}

/// The runtime on which the test is, also where several are compiled in: there, a handle takes smol if tokio is not running.
fn runtime_of_the_test(emulator: &Emulator) -> Runtime {
    let servers = lakebase_runtime::parse_servers(&emulator.description().dns).unwrap();
    let options = lakebase_runtime::Options::new().dns_servers(servers);
    #[cfg(feature = "tokio")]
    if tokio::runtime::Handle::try_current().is_ok() {
        return lakebase_runtime::tokio_with(&options).unwrap();
    }
    #[cfg(feature = "async-std")]
    if async_std::task::try_current().is_some() {
        return lakebase_runtime::async_std_with(&options).unwrap();
    }
    #[cfg(feature = "smol")]
    return lakebase_runtime::smol_with(&options).unwrap();
    #[cfg(not(feature = "smol"))]
    unreachable!("a test runs on one of the runtimes");
}

async fn a_thousand_rotations_of_pools() {
    let emulator = Emulator::builder().start().unwrap();
    let plain = Setup::m2m(&emulator).build();
    let runtime = runtime_of_the_test(&emulator);
    let clock = Ahead::of(&runtime.clock);
    let alive = Arc::new(());
    let counting = Counting { spawn: runtime.spawn.clone().unwrap(), alive: Arc::clone(&alive) };
    let spawn: Arc<dyn Spawn> = Arc::new(counting);
    let runtime = Runtime { clock: clock.clone(), spawn: Some(spawn.clone()), ..runtime };
    let lakebase = Setup::m2m(&emulator).builder().build_with(runtime).unwrap();
    let pools = Pool::all(&lakebase).await;

    let rotation = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for pool in pools.iter().cycle().take(pools.len() * TASKS) {
        // Without a buffer, so that rotations keep pace with queries.
        let (report, finished) = mpsc::channel(0);
        spawn.spawn(Box::pin(work(pool.clone(), Arc::clone(&rotation), report)));
        tasks.push(finished);
    }
    let queries = rotate((&emulator, &clock), &lakebase, &rotation, &mut tasks).await;
    drop(tasks);

    let name = &emulator.description().endpoint;
    let counters = emulator.counters(name).unwrap();
    let requests = emulator.requests();
    let minted = requests.iter().filter(|it| it.path.ends_with("/credentials")).count();
    assert!(minted as u64 > ROTATIONS);
    assert!(queries >= ROTATIONS * (TASKS * pools.len()) as u64);
    let logins = ROTATIONS + 20 * pools.len() as u64;
    assert!(counters.accepted > logins, "pools log in, too: {counters:?}");
    assert_eq!(counters.refused, 0, "no dead token was tried: {counters:?}");
    for pool in pools {
        pool.close().await;
    }
    drop((lakebase, spawn));
    until(&plain, "sessions end", || emulator.counters(name).unwrap().open == 0).await;
    // One is ours.
    until(&plain, "tasks end", || Arc::strong_count(&alive) == 1).await;
}

/// pgbench logs in anew for every transaction, through a proxy, and ends at the first login that fails.
#[cfg(feature = "tokio")]
#[test]
fn a_thousand_rotations_behind_a_proxy() {
    crate::support::on_tokio(async {
        let emulator = Emulator::builder().start().unwrap();
        let plain = Setup::m2m(&emulator).build();
        let (lakebase, clock) = ahead(&emulator, &plain);
        let mut clients = Vec::new();
        for _ in 0..2 {
            let (port, monitor, serving) = serve(listener(&lakebase)).await;
            clients.push(Client { pgbench: Pgbench::start(port), monitor, serving });
        }

        let cache = lakebase.connector().credentials().await.unwrap().unwrap();
        let mut held = cache.get().await.unwrap();
        for number in 1..=ROTATIONS {
            clock.step(&emulator);
            // A login moves the rotation on, if the background has not seen yet that an hour passed.
            cache.get().await.unwrap();
            held = cache.changed(Some(held.generation())).await;
            // A login that was under way may have the old token; the one after it has the new one.
            let goals: Vec<_> = clients.iter().map(|it| it.monitor.stats().logins + 2).collect();
            until(&plain, "pgbench logs in", || {
                clients.iter_mut().zip(&goals).all(|(client, goal)| {
                    client.pgbench.assert_running(number);
                    client.monitor.stats().logins >= *goal
                })
            })
            .await;
        }
        // Before the clients are killed: a login that ends with its client counts as refused, too.
        let counters = emulator.counters(&emulator.description().endpoint).unwrap();
        for Client { mut pgbench, monitor, serving } in clients {
            pgbench.assert_running(ROTATIONS);
            let stats = monitor.stats();
            assert!(stats.failed_logins.is_empty() && stats.rejected == 0, "{stats:?}");
            drop(pgbench);
            serving.abort();
        }
        assert_eq!(counters.refused, 0, "no dead token was tried: {counters:?}");
        let requests = emulator.requests();
        let minted = requests.iter().filter(|it| it.path.ends_with("/credentials")).count();
        assert!(minted as u64 > ROTATIONS, "{minted}");
    });
}

/// A client that does one thing after the other, behind a proxy that counts only its logins.
#[cfg(feature = "tokio")]
struct Client {
    pgbench: Pgbench,
    monitor: Monitor,
    serving: tokio::task::JoinHandle<Drained>,
}

/// A handle whose clock is ahead, on the runtime of another.
#[cfg(feature = "tokio")]
fn ahead(emulator: &Emulator, plain: &Lakebase) -> (Lakebase, Arc<Ahead>) {
    let runtime = plain.connector().runtime().clone();
    let clock = Ahead::of(&runtime.clock);
    let runtime = Runtime { clock: clock.clone(), ..runtime };
    (Setup::m2m(emulator).builder().build_with(runtime).unwrap(), clock)
}

#[cfg(feature = "tokio")]
fn listener(lakebase: &Lakebase) -> Listener {
    Listener::new(Address::Tcp(([127, 0, 0, 1], 0).into()), lakebase.connector().clone())
}

/// A proxy that runs, and its port.
#[cfg(feature = "tokio")]
async fn serve(listener: Listener) -> (u16, Monitor, tokio::task::JoinHandle<Drained>) {
    let proxy = Proxy::bind([listener], Limits::default()).await.unwrap();
    let Address::Tcp(address) = proxy.addresses().unwrap()[0] else { unreachable!() };
    (address.port(), proxy.monitor(), tokio::spawn(proxy.run(std::future::pending())))
}

/// `pgbench -C` with one client, killed on drop.
#[cfg(feature = "tokio")]
struct Pgbench {
    child: std::process::Child,
    script: tempfile::NamedTempFile,
}

#[cfg(feature = "tokio")]
impl Pgbench {
    fn start(port: u16) -> Self {
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&script, "select 1;\n").unwrap();
        let mut pgbench = std::process::Command::new("pgbench");
        pgbench.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("PGUSER", "x");
        pgbench.args(["-n", "-C", "-T", "3600", "-h", "127.0.0.1", "-p", &port.to_string()]);
        pgbench.args(["-c", "1", "-f"]).arg(script.path());
        let quiet = std::process::Stdio::null;
        let child = pgbench.stdin(quiet()).stdout(quiet()).stderr(std::process::Stdio::piped());
        Self { child: child.spawn().unwrap(), script }
    }

    /// A client whose login fails is given up, and with the last one pgbench ends.
    fn assert_running(&mut self, rotations: u64) {
        if let Some(said) = self.ended() {
            panic!("pgbench ended after {rotations} rotations: {said}");
        }
    }

    /// What it said, if it has ended.
    fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().unwrap()?;
        let stderr = std::io::read_to_string(self.child.stderr.take().unwrap()).unwrap();
        Some(format!("{status}: {stderr}"))
    }
}

#[cfg(feature = "tokio")]
impl Drop for Pgbench {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = &self.script;
    }
}
