//! Pools of deadpool and bb8 when something is wrong: refused tokens, sleeping computes, silence, bad servers.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::try_join_all;
use lakebase::core::Runtime;
use lakebase::{Error, ErrorKind, Lakebase, RecyclingOptions};
use lakebase_emulator::{Effect, Emulator, Fault, Operation};
use lakebase_testkit::FakeTime;
use lakebase_testkit::network::ForgetfulLink;

use super::pool::{Kind, Pool, kinds};
use crate::log::{Log, listen};
use crate::support::{SOON, Setup, block_on, endpoint, own_endpoint, shared, until, within};

on_each_runtime! {
    a_refused_token_is_replaced_once a_role_that_stays_refused idle_connections_end_with_the_compute
    idle_connections_that_were_forgotten the_end_of_one_puts_the_others_in_doubt each_checkout_asks_if_it_shall
    a_check_that_is_given_up bb8_on_other_runtimes
}

/// A pool each of whose checkouts needs a login.
async fn replacing(kind: Kind, name: &str) -> (Lakebase, Pool) {
    let lakebase = Setup::m2m(shared()).endpoint(name).build();
    let options = RecyclingOptions::new().max_lifetime(Duration::ZERO);
    let pool = kind.open(&lakebase, 3, options).await.unwrap();
    assert_eq!(pool.one().await.unwrap(), 1);
    (lakebase, pool)
}

async fn a_refused_token_is_replaced_once() {
    for kind in kinds() {
        let (name, host) = endpoint(shared());
        let (lakebase, pool) = replacing(kind, &name).await;
        let before = lakebase.credential().await.unwrap().generation();
        let rejected = Effect::refuse("28P01", "password authentication failed for user \"x\"");
        let waking = Effect::refuse("57P03", "the database system is starting up");
        for problem in [rejected, waking] {
            shared().inject(Fault::new(Operation::Login, problem).only(&host).times(1));
            let pair = try_join_all([pool.get(), pool.get()]).await.unwrap();
            for client in &pair {
                client.check_connection().await.unwrap();
            }
        }
        assert!(lakebase.credential().await.unwrap().generation() > before);
        assert_eq!(shared().counters(&name).unwrap().refused, 2, "{kind:?}");
    }
}

async fn a_role_that_stays_refused() {
    let (name, host) = endpoint(shared());
    let (_, pool) = replacing(Kind::Deadpool, &name).await;
    shared()
        .inject(Fault::new(Operation::Login, Effect::refuse("28P01", "no")).only(&host).times(2));
    let error = pool.get().await.map(drop).unwrap_err();
    let ours = Error::find_in(&*error).expect("the connector's own error");
    assert_eq!(ours.kind(), ErrorKind::LoginRefused, "{error:?}");
    assert!(ours.to_string().contains("refused, also with a fresh token"), "{ours}");
    assert_eq!(shared().counters(&name).unwrap().refused, 2, "one with each token");
    // Later errors are tokio-postgres' business.
    let error = pool.get().await.unwrap().simple_query("nonsense").await.unwrap_err();
    assert!(Error::find_in(&error).is_none());
}

/// The end of a session is seen by its task; nobody has to ask, and no statement fails.
async fn idle_connections_end_with_the_compute() {
    for kind in kinds() {
        let (name, lakebase) = own_endpoint();
        let options = RecyclingOptions::new().ping_after_idle(Duration::ZERO);
        let pool = kind.open(&lakebase, 3, options).await.unwrap();
        for _ in 0..3 {
            pool.warm_up(3).await;
            shared().suspend(&name).unwrap();
            for _ in 0..5 {
                assert_eq!(pool.one().await.unwrap(), 1, "{kind:?}");
            }
        }
        assert_eq!(shared().counters(&name).unwrap().wakes, 3, "{kind:?}");
    }
}

/// Its sessions may be forgotten, which means that they stay open until their [`Way`] ends.
fn forgotten() -> &'static Emulator {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    EMULATOR.get_or_init(|| Emulator::builder().start().unwrap())
}

const IDLE: usize = 5;

/// A way to an endpoint of its own.
struct Way {
    link: ForgetfulLink,
    name: String,
}

impl Way {
    fn open() -> Self {
        let server = (Ipv4Addr::LOCALHOST, forgotten().description().pg_port).into();
        Self { link: ForgetfulLink::open(server).unwrap(), name: endpoint(forgotten()).0 }
    }

    /// A pool with idle connections, each of which is checked.
    async fn idle(&self, kind: Kind) -> (Lakebase, Pool) {
        self.idle_with(kind, RecyclingOptions::new().ping_after_idle(Duration::ZERO)).await
    }

    async fn idle_with(&self, kind: Kind, options: RecyclingOptions) -> (Lakebase, Pool) {
        let lakebase = self.setup().build();
        let pool = kind.open(&lakebase, IDLE, options).await.unwrap();
        pool.warm_up(IDLE).await;
        (lakebase, pool)
    }

    fn setup(&self) -> Setup {
        let (address, port) = (self.link.address().ip(), self.link.address().port());
        let setup = Setup::m2m(forgotten()).endpoint(&self.name);
        setup.set("PGHOSTADDR", address).set("PGPORT", port)
    }

    fn forget(&self) {
        self.link.forget();
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // There is no room for the forgotten sessions of all tests.
        let _ = forgotten().end_sessions(&self.name);
    }
}

async fn idle_connections_that_were_forgotten() {
    for kind in kinds() {
        let way = Way::open();
        let (lakebase, pool) = way.idle(kind).await;
        way.forget();
        // As many tasks as there were connections: none gets an error, and none waits a minute.
        let asks = try_join_all((0..IDLE).map(|_| pool.one()));
        assert_eq!(within(&lakebase, SOON, asks).await.unwrap(), [1; IDLE], "{kind:?}");
        // One task meets them all, one after the other: the first costs two seconds, the others little.
        let (lakebase, pool) = way.idle(kind).await;
        way.forget();
        assert_eq!(within(&lakebase, SOON, pool.one()).await.unwrap(), 1, "{kind:?}");
    }
}

/// A compute that stops ends all sessions, and not all at once.
async fn the_end_of_one_puts_the_others_in_doubt() {
    for kind in kinds() {
        let way = Way::open();
        let (lakebase, pool) = way.idle_with(kind, RecyclingOptions::new()).await;
        let ended = pool.get().await.unwrap();
        let other = pool.get().await.unwrap();
        let pid: i32 = ended.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
        other.query_one("select pg_terminate_backend($1)", &[&pid]).await.unwrap();
        until(&lakebase, "its end is seen", || ended.is_closed()).await;
        drop(ended);
        way.forget();
        // No statement is sent to those that do not answer.
        assert_eq!(within(&lakebase, SOON, pool.one()).await.unwrap(), 1, "{kind:?}");
    }
}

/// Also if no time has passed since the last one, by a clock that is behind: coarse clocks are.
async fn each_checkout_asks_if_it_shall() {
    for kind in kinds() {
        let way = Way::open();
        let runtime = way.setup().build().connector().runtime().clone();
        let runtime = Runtime { clock: Arc::new(FakeTime::new()), ..runtime };
        let lakebase = way.setup().builder().build_with(runtime).unwrap();
        let options = RecyclingOptions::new().ping_after_idle(Duration::ZERO);
        let pool = kind.open(&lakebase, 1, options).await.unwrap();
        for _ in 0..2 {
            assert_eq!(pool.one().await.unwrap(), 1, "{kind:?}");
        }
        way.forget();
        let real = way.setup().build();
        assert_eq!(within(&real, SOON, pool.one()).await.unwrap(), 1, "{kind:?}");
    }
}

/// Checkouts that met them tell how many, together and not one by one.
#[test]
fn what_was_replaced_is_counted() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    listen(subscriber, || {
        block_on(async {
            for kind in kinds() {
                let way = Way::open();
                let (lakebase, pool) = way.idle(kind).await;
                way.forget();
                log.take();
                let asks = try_join_all((0..IDLE).map(|_| pool.one()));
                assert_eq!(within(&lakebase, SOON, asks).await.unwrap(), [1; IDLE], "{kind:?}");
                let log = log.take();
                let counts = log.lines().filter_map(|line| {
                    let (_, count) = line.split_once(" replaced count=")?;
                    count.trim().parse::<usize>().ok()
                });
                assert_eq!(counts.sum::<usize>(), IDLE, "{kind:?}: {log}");
            }
        });
    });
}

/// A caller that does not wait for a check leaves a connection that the next one does not take for fresh.
async fn a_check_that_is_given_up() {
    for kind in kinds() {
        let way = Way::open();
        let (lakebase, pool) = way.idle(kind).await;
        way.forget();
        for _ in 0..3 {
            assert!(futures::FutureExt::now_or_never(pool.one()).is_none());
        }
        assert_eq!(within(&lakebase, SOON, pool.one()).await.unwrap(), 1, "{kind:?}");
    }
}

async fn bb8_on_other_runtimes() {
    #[cfg(feature = "tokio")]
    if !kinds().contains(&Kind::Bb8) {
        let lakebase = Setup::m2m(shared()).build();
        let error = lakebase.bb8(lakebase::bb8::Pool::builder()).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
