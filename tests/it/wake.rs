//! Scale to zero: a suspended compute wakes with the login, whatever its front end says meanwhile.

use std::sync::OnceLock;
use std::time::Duration;

use futures::future::join_all;
use lakebase::core::connect::ConnectPolicy;
use lakebase::sqlx::Connection as _;
use lakebase::{ErrorKind, PoolOptions};
use lakebase_emulator::{Effect, Emulator, Fault, Operation, SessionEnd, WakeStyle};
use lakebase_testkit::assert_error;

use crate::support::{Setup, endpoint, select_one, shared};

on_each_runtime! {
    connection_wakes_the_compute pool_wakes_the_compute idle_connections_end_with_the_compute
    patience_has_an_end
}

const STYLES: [WakeStyle; 4] =
    [WakeStyle::Hold, WakeStyle::StartingUp, WakeStyle::Paused, WakeStyle::Drop];

/// One emulator for each style; those that drop connections do so with sessions as well.
fn styled(style: WakeStyle) -> &'static Emulator {
    static EMULATORS: [OnceLock<Emulator>; 4] = [const { OnceLock::new() }; 4];
    let place = STYLES.iter().position(|known| *known == style).unwrap();
    EMULATORS[place].get_or_init(|| {
        let end = if style == WakeStyle::Drop { SessionEnd::Close } else { SessionEnd::Terminate };
        let config = Emulator::builder().wake_style(style).session_end(end);
        config.wake_delay(Duration::from_millis(150)).start().unwrap()
    })
}

/// A suspended endpoint of its own.
fn sleepy(emulator: &Emulator) -> String {
    let (name, _) = endpoint(emulator);
    emulator.suspend(&name).unwrap();
    name
}

async fn connection_wakes_the_compute() {
    for style in STYLES {
        let emulator = styled(style);
        let name = sleepy(emulator);
        let lakebase = Setup::m2m(emulator).endpoint(&name).build();
        let mut conn = lakebase.connect().await.unwrap_or_else(|e| panic!("{style:?}: {e:?}"));
        conn.ping().await.unwrap();
        conn.close().await.unwrap();
        let counters = emulator.counters(&name).unwrap();
        assert_eq!((counters.wakes, counters.accepted), (1, 1), "{style:?}");
        assert_eq!(counters.refused == 0, style == WakeStyle::Hold, "{style:?}");
    }
}

async fn pool_wakes_the_compute() {
    for style in STYLES {
        let emulator = styled(style);
        let name = sleepy(emulator);
        let lakebase = Setup::m2m(emulator).endpoint(&name).build();
        let pool = lakebase.pool(PoolOptions::new().max_connections(1)).await;
        let pool = pool.unwrap_or_else(|e| panic!("{style:?}: {e:?}"));
        // The second time the pool has had a connection, which ended with the compute.
        for wakes in 1..=2 {
            let one = select_one(&pool).await;
            assert_eq!((one, emulator.counters(&name).unwrap().wakes), (1, wakes), "{style:?}");
            let conn = pool.acquire().await.unwrap();
            emulator.suspend(&name).unwrap();
            drop(conn.close().await);
        }
        assert!(pool.close().await);
    }
}

async fn idle_connections_end_with_the_compute() {
    for style in [WakeStyle::Hold, WakeStyle::Drop] {
        let emulator = styled(style);
        let name = sleepy(emulator);
        let lakebase = Setup::m2m(emulator).endpoint(&name).build();
        let options = PoolOptions::new().max_connections(3).ping_after_idle(Duration::ZERO);
        let pool = lakebase.pool(options).await.unwrap();
        pool.warm_up(3).await.unwrap();
        emulator.suspend(&name).unwrap();
        for _ in 0..5 {
            assert_eq!(select_one(&pool).await, 1, "{style:?}");
        }
        assert_eq!(emulator.counters(&name).unwrap().wakes, 2);
        assert!(pool.close().await);
    }
}

async fn patience_has_an_end() {
    let cases = [
        (
            Effect::Latency { duration: Duration::from_secs(30) },
            " (127.0.0.1) accepted TCP and did not answer within",
        ),
        (Effect::refuse("57P03", "the database system is starting up"), "is starting up"),
        (
            Effect::refuse("XX000", "External authorization failed."),
            "External authorization failed",
        ),
        (Effect::Drop, "peer closed connection"),
    ];
    join_all(cases.map(async |(effect, cause)| {
        let (name, host) = endpoint(shared());
        shared().inject(Fault::new(Operation::Login, effect).only(host));
        let policy = ConnectPolicy {
            budget: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(2),
            ..ConnectPolicy::default()
        };
        let setup = Setup::m2m(shared()).endpoint(&name);
        let lakebase = setup.builder().connect_policy(policy).build().unwrap();
        let error = lakebase.connect().await.map(drop).unwrap_err();
        assert_error(&error, ErrorKind::TimedOut, &["within 5s (", cause]);
    }))
    .await;
}
