//! Scale to zero: a suspended compute wakes with the login, whatever its front end says meanwhile.

use std::time::Duration;

use lakebase::core::connect::ConnectPolicy;
use lakebase::sqlx::{self, Connection as _};
use lakebase::{ErrorKind, PoolOptions};
use lakebase_emulator::{Emulator, SessionEnd, WakeStyle};

use crate::support::Setup;

on_each_runtime! {
    connection_wakes_the_compute pool_wakes_the_compute idle_connections_end_with_the_compute
    patience_has_an_end
}

const STYLES: [WakeStyle; 4] =
    [WakeStyle::Hold, WakeStyle::StartingUp, WakeStyle::Paused, WakeStyle::Drop];
const SLEEPY: &str = "projects/demo/branches/dev/endpoints/sleepy";

fn emulator(style: WakeStyle) -> Emulator {
    let config = Emulator::builder().wake_style(style).wake_delay(Duration::from_millis(150));
    config.start().unwrap()
}

async fn connection_wakes_the_compute() {
    for style in STYLES {
        let emulator = emulator(style);
        let lakebase = Setup::m2m(&emulator).branch("demo", "dev").build();
        let mut conn = lakebase.connect().await.unwrap_or_else(|e| panic!("{style:?}: {e:?}"));
        conn.ping().await.unwrap();
        conn.close().await.unwrap();
        let counters = emulator.counters(SLEEPY).unwrap();
        assert_eq!((counters.wakes, counters.accepted), (1, 1), "{style:?}");
        assert_eq!(counters.refused == 0, style == WakeStyle::Hold, "{style:?}");
    }
}

async fn pool_wakes_the_compute() {
    for style in STYLES {
        let emulator = emulator(style);
        let lakebase = Setup::m2m(&emulator).set("LAKEBASE_ENDPOINT", SLEEPY).build();
        let pool = lakebase.pool(PoolOptions::new().max_connections(1)).await;
        let pool = pool.unwrap_or_else(|e| panic!("{style:?}: {e:?}"));
        // The second time the pool has had a connection, which ended with the compute.
        for wakes in 1..=2 {
            let one: i32 = sqlx::query_scalar("select 1").fetch_one(&pool).await.unwrap();
            assert_eq!((one, emulator.counters(SLEEPY).unwrap().wakes), (1, wakes), "{style:?}");
            let conn = pool.acquire().await.unwrap();
            emulator.suspend(SLEEPY).unwrap();
            drop(conn.close().await);
        }
        assert!(pool.close().await);
    }
}

async fn idle_connections_end_with_the_compute() {
    for end in [SessionEnd::Terminate, SessionEnd::Close] {
        let config = Emulator::builder().session_end(end).wake_delay(Duration::from_millis(50));
        let emulator = config.start().unwrap();
        let lakebase = Setup::m2m(&emulator).set("LAKEBASE_ENDPOINT", SLEEPY).build();
        let options = PoolOptions::new().max_connections(3).ping_after_idle(Duration::ZERO);
        let pool = lakebase.pool(options).await.unwrap();
        pool.warm_up(3).await.unwrap();
        emulator.suspend(SLEEPY).unwrap();
        for _ in 0..5 {
            let one: i32 = sqlx::query_scalar("select 1").fetch_one(&pool).await.unwrap();
            assert_eq!(one, 1, "{end:?}");
        }
        assert_eq!(emulator.counters(SLEEPY).unwrap().wakes, 2);
        assert!(pool.close().await);
    }
}

async fn patience_has_an_end() {
    // It never wakes: its clock stands still.
    for (style, cause) in [
        (WakeStyle::Hold, "the server did not answer within"),
        (WakeStyle::StartingUp, "the database system is starting up"),
        (WakeStyle::Paused, "External authorization failed"),
    ] {
        let emulator = Emulator::builder().acceleration(0.0).wake_style(style).start().unwrap();
        let setup = Setup::m2m(&emulator).set("LAKEBASE_ENDPOINT", SLEEPY);
        let policy = ConnectPolicy {
            budget: Duration::from_millis(600),
            attempt_timeout: Duration::from_millis(150),
            ..ConnectPolicy::default()
        };
        let lakebase = setup.builder().connect_policy(policy).build().unwrap();
        let error = lakebase.connect().await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{style:?}: {error:?}");
        let report = error.report();
        assert!(report.contains("within 600ms (") && report.contains(cause), "{style:?}: {report}");
    }
}
