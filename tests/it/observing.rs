//! What operators see: metrics with their labels, spans that end, one event per change. All work happens on
//! the test's thread, because recorder and subscriber are that thread's.

use std::collections::BTreeMap;
use std::time::Duration;

use lakebase::core::FileStatus;
use lakebase::sqlx::{self, Connection as _};
use lakebase::{ErrorKind, Lakebase, PoolOptions};
use lakebase_emulator::{Effect, Emulator, Fault, Operation, WakeStyle};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::log::{Log, listen};
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

    emulator.inject(Fault::new(Operation::Credentials, Effect::reply(503)));
    let unlucky = Setup::m2m(emulator).build_within(Duration::from_millis(1500));
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

#[test]
fn spans_end_also_when_what_they_are_about_fails() {
    let emulator = emulator();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_writer(log.clone())
        .finish();
    listen(subscriber, || on_this_thread(session(&emulator)));
    let text = log.take();
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

#[test]
fn settings_that_are_not_used_are_mentioned() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let environment = Setup::empty()
        .set("DATABASE_URL", "postgresql://me@localhost/d")
        .set("PGSERVICE", "shop")
        .set("PGCLIENTENCODING", "UTF8")
        .set("HOME", "/home/me")
        .file("/home/me/.pgpass", "*:*:*:*:canary")
        .environment()
        .with_file_status(|_| Ok(FileStatus { is_regular: true, mode: Some(0o640) }));
    listen(subscriber, || Lakebase::builder().environment(environment).build().unwrap());
    let text = log.take();
    for event in [
        " INFO lakebase::observe: connecting to a URL, because nothing else says what to connect to setting=DATABASE_URL",
        " INFO lakebase::observe: variable not read problem=PGSERVICE (environment variable): not supported: files of",
        " WARN lakebase::observe: password file ignored reason=\"password file /home/me/.pgpass has mode 0640",
    ] {
        assert!(text.contains(event), "no event {event}: {text}");
    }
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(!text.contains("canary"), "{text}");
}
