//! What operators see: metrics with their labels, spans that end, one event per change. All work happens on
//! the test's thread, because recorder and subscriber are that thread's.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lakebase::sqlx::{self, Connection as _};
use lakebase::{ErrorKind, PoolOptions};
use lakebase_emulator::{Emulator, Fault, Operation, WakeStyle};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::rotation::unavailable;
use crate::support::Setup;

fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A login that wakes the compute, a pool with a query, and a login that fails for good.
async fn session(emulator: &Emulator) {
    let it = emulator.description();
    emulator.suspend(&it.endpoint).unwrap();
    let lakebase = Setup::m2m(emulator).build();
    lakebase.connect().await.unwrap().close().await.unwrap();

    let pool = lakebase.pool(PoolOptions::new().max_connections(2)).await.unwrap();
    let _: i32 = sqlx::query_scalar("select 7 -- canary").fetch_one(&pool).await.unwrap();
    assert!(pool.close().await);

    let wrong = Setup::m2m(emulator).set("PGDATABASE", "no_such_database").build();
    assert_eq!(wrong.connect().await.unwrap_err().kind(), ErrorKind::NotFound);

    emulator.inject(Fault::new(Operation::Credentials, unavailable()));
    let policy =
        lakebase::ConnectPolicy { budget: Duration::from_millis(1500), ..Default::default() };
    let unlucky = Setup::m2m(emulator).builder().connect_policy(policy).build().unwrap();
    assert_eq!(unlucky.connect().await.unwrap_err().kind(), ErrorKind::TimedOut);
}

fn emulator() -> Emulator {
    let config = Emulator::builder().wake_style(WakeStyle::StartingUp);
    config.wake_delay(Duration::from_millis(150)).start().unwrap()
}

#[test]
fn metrics_count_refreshes_logins_retries_and_wake_ups() {
    let emulator = emulator();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || on_this_thread(session(&emulator)));
    let seen: BTreeMap<String, f64> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let labels: Vec<String> = key
                .key()
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let value = match value {
                DebugValue::Counter(count) => f64::from(u32::try_from(count).unwrap()),
                DebugValue::Gauge(value) => value.0,
                DebugValue::Histogram(values) => f64::from(u32::try_from(values.len()).unwrap()),
            };
            (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
        })
        .collect();
    let at_least = |name: &str, least: f64| {
        let found = seen.get(name).copied().unwrap_or_default();
        assert!(found >= least, "{name} is {found}, not {least}: {seen:#?}");
    };
    for kind in ["credential", "workspace_token", "endpoint"] {
        at_least(&format!("lakebase_refresh_duration_seconds{{kind={kind},outcome=ok}}"), 1.0);
        // Some time after 2020.
        at_least(&format!("lakebase_value_expires_seconds{{kind={kind}}}"), 1.6e9);
    }
    at_least("lakebase_refresh_duration_seconds{kind=credential,outcome=unavailable}", 1.0);
    at_least("lakebase_logins_total{result=ok}", 3.0);
    at_least("lakebase_logins_total{result=not_found}", 1.0);
    at_least("lakebase_logins_total{result=timed_out}", 1.0);
    at_least("lakebase_wake_ups_total{}", 1.0);
    at_least("lakebase_login_retries_total{class=waking}", 1.0);
    assert!(seen.contains_key("lakebase_pool_connections{state=idle}"), "{seen:#?}");
    assert!(!seen.keys().any(|name| name.contains("canary") || name.contains("select")));
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn spans_end_also_when_what_they_are_about_fails() {
    let emulator = emulator();
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    // While there is only one dispatcher, tracing lets whichever thread comes first at an event decide whether
    // anybody cares, and the threads of other tests have no subscriber.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    tracing::subscriber::with_default(subscriber, || on_this_thread(session(&emulator)));
    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<&str> = text.lines().filter(|line| line.contains("lakebase")).collect();
    for span in ["lakebase.fetch", "lakebase.login", "lakebase.wake_up"] {
        let count = |end: &str| {
            let ended = |line: &&&str| {
                line.contains(&format!(": {end}"))
                    && line.rsplit("lakebase.").next().is_some_and(|last| {
                        span.ends_with(last.split(['{', ':']).next().unwrap_or_default())
                    })
            };
            ours.iter().filter(ended).count()
        };
        assert!(count("new") > 0, "no span {span}: {text}");
        assert_eq!(count("new"), count("close"), "{span} does not end: {text}");
    }
    for event in [
        "refreshed kind=\"credential\"",
        "refresh failed kind=\"credential\"",
        "phase kind=\"credential\" phase=Fresh",
        "login failed, trying again class=\"waking\"",
        "answered request=\"POST /oidc/v1/token\" status=200",
        "answered request=\"POST /api/2.0/postgres/credentials\" status=503",
    ] {
        assert!(text.contains(event), "no event {event}: {text}");
    }
    assert!(!text.contains("canary"), "SQL in an event: {text}");
}
