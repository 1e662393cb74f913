//! Suspension ends sessions, a login wakes the endpoint, and what the login sees meanwhile is chosen.

use std::time::Duration;

use lakebase_emulator::{Emulator, EndpointKind, SessionEnd, WakeStyle};

use crate::client::{Failure, Login, http};

const SLEEPY: &str = "projects/demo/branches/dev/endpoints/sleepy";

#[tokio::test]
async fn a_held_login_waits_for_the_emulated_clock() {
    // With the clock at rest only `advance` can end the wake-up.
    let emulator = Emulator::builder().acceleration(0.0).start().unwrap();
    let login = Login::native(&emulator).at(emulator.endpoint_host(SLEEPY, false));
    let (session, ()) = tokio::join!(login.connect(), async {
        while emulator.counters(SLEEPY).unwrap().wakes == 0 {
            tokio::task::yield_now().await;
        }
        emulator.advance(Duration::from_millis(500));
    });
    let mut session = session.unwrap();
    assert_eq!(session.query("select 1").await.unwrap(), "1");

    emulator.suspend(SLEEPY).unwrap();
    let Failure::Server(code, ..) = session.read().await.unwrap_err() else {
        panic!("57P01 comes first")
    };
    assert_eq!(code, "57P01");
    assert!(matches!(session.read().await.unwrap_err(), Failure::Transport(_)));
    assert!(emulator.suspend("projects/none").is_err());
}

#[tokio::test]
async fn wake_ups_come_in_styles() {
    for (style, sqlstate, text) in [
        (WakeStyle::StartingUp, "57P03", "starting up"),
        (WakeStyle::Paused, "XX000", "External authorization failed."),
        (WakeStyle::Drop, "", ""),
    ] {
        let builder = Emulator::builder().acceleration(0.0).wake_style(style);
        let emulator = builder.session_end(SessionEnd::Close).start().unwrap();
        let login = Login::native(&emulator).at(emulator.endpoint_host(SLEEPY, false));
        for _ in 0..2 {
            let error = login.refused().await;
            assert_eq!(error.sqlstate(), sqlstate);
            assert!(error.text().contains(text), "{error:?}");
        }
        emulator.advance(Duration::from_millis(500));
        let mut session = login.connect().await.unwrap();
        let counters = emulator.counters(SLEEPY).unwrap();
        assert_eq!((counters.wakes, counters.accepted, counters.refused), (1, 1, 2));
        emulator.end_sessions(SLEEPY).unwrap();
        assert!(
            matches!(session.read().await.unwrap_err(), Failure::Transport(_)),
            "closed without a word"
        );
    }
}

#[tokio::test]
async fn a_disabled_endpoint_is_not_woken() {
    let emulator = Emulator::builder().wake_delay(Duration::ZERO).start().unwrap();
    let endpoint = emulator.description().endpoint.clone();
    let login = Login::native(&emulator);
    let mut session = login.connect().await.unwrap();
    emulator.set_disabled(&endpoint, true).unwrap();
    assert_eq!(session.read().await.unwrap_err().sqlstate(), "57P01");
    assert!(login.refused().await.text().contains("endpoint is disabled"));
    emulator.set_disabled(&endpoint, false).unwrap();
    login.connect().await.unwrap();
    assert_eq!(emulator.counters(&endpoint).unwrap().wakes, 1);
    let added = "projects/demo/branches/production/endpoints/added";
    assert!(emulator.set_disabled(added, true).is_err());
    emulator.add_endpoint(added, EndpointKind::ReadOnly).unwrap();
    let mut added = login.at(emulator.endpoint_host(added, false)).connect().await.unwrap();
    assert_eq!(added.query("show default_transaction_read_only").await.unwrap(), "on");
}

#[tokio::test]
async fn an_idle_endpoint_falls_asleep_by_itself() {
    let builder = Emulator::builder().acceleration(0.0).suspend_after(Duration::from_secs(60));
    let emulator = builder.start().unwrap();
    let d = emulator.description();
    let mut session = Login::native(&emulator).connect().await.unwrap();
    assert_eq!(session.query("select 1").await.unwrap(), "1");
    // Twice, because traffic up to a tick ago may still count as now.
    while !matches!(session_state(&emulator).await.as_str(), "IDLE") {
        emulator.advance(Duration::from_secs(61));
    }
    assert_eq!(session.read().await.unwrap_err().sqlstate(), "57P01");
    let order = serde_json::json!({ "acceleration": 1_000_000.0 }).to_string();
    assert_eq!(http(d, "POST", "/_emulator/clock", "", &order).await.unwrap().status, 200);
}

async fn session_state(emulator: &Emulator) -> String {
    let d = emulator.description();
    let path = format!("/api/2.0/postgres/{}", d.endpoint);
    let endpoint = http(d, "GET", &path, &d.token, "").await.unwrap().json();
    endpoint["status"]["current_state"].as_str().unwrap().to_owned()
}
