//! `lakebase proxy --log-format`: one event per line, of the same form, without statements or secrets.

use lakebase_emulator::Emulator;
use serde_json::Value;

use crate::proxy::Running;
use crate::support::{Run, emulator, json};

/// What a proxy writes to standard error while one client comes and goes and another is turned away.
fn log(emulator: &Emulator, arguments: &[&str]) -> String {
    let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
    let proxy = Running::start(emulator, &arguments);
    let row = Run::of(&mut proxy.psql(0, &["-c", "select 'canary'"])).success();
    assert_eq!(row.trim(), "canary");
    let missing = ["-d", "no such\ndatabase", "-c", "select 1"];
    assert!(!proxy.psql(0, &missing).output().unwrap().status.success());
    let (code, log) = proxy.end("TERM");
    assert_eq!(code, Some(0), "{log}");
    let service = emulator.description();
    for secret in [&service.client_secret, &service.token, "eyJ", "canary", "select"] {
        assert!(!log.contains(secret), "{log}");
    }
    log
}

#[test]
fn every_line_is_an_object() {
    let log = log(&emulator(), &["--log-format", "json"]);
    let events: Vec<Value> = log.lines().map(json).collect();
    for event in &events {
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z'), "{event}");
        assert!(event["level"].is_string() && event["message"].is_string(), "{event}");
    }
    let find = |message: &str| {
        let found = events.iter().find(|event| event["message"] == message);
        found.unwrap_or_else(|| panic!("no {message:?} in {log}"))
    };
    assert_eq!(find("refreshed")["level"], "INFO");
    assert!(find("session opened")["login_ms"].is_u64());
    assert_eq!(find("session ended")["cut"], false);
    assert_eq!(find("login failed")["level"], "WARN");
    assert_eq!(find("client turned away")["sqlstate"], "3D000");
    let listening = events[0]["message"].as_str().unwrap();
    assert!(listening.starts_with("listening on 127.0.0.1:"), "{log}");
}

#[test]
fn lines_of_text_begin_with_the_time_and_hold_no_line_breaks_of_clients() {
    let log = log(&emulator(), &["--log-format", "text"]);
    for line in log.lines() {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{log}");
        assert!(["INFO", "WARN"].iter().any(|level| rest.trim_start().starts_with(level)), "{log}");
    }
    assert!(log.contains("session opened") && log.contains("client turned away"), "{log}");
}

#[test]
fn a_quiet_log_holds_warnings_only() {
    let log = log(&emulator(), &["--log-format", "json", "--quiet"]);
    let levels: Vec<Value> = log.lines().map(|line| json(line)["level"].clone()).collect();
    assert!(!levels.is_empty() && levels.iter().all(|level| level == "WARN"), "{log}");
}

#[test]
fn the_last_error_is_an_event_too() {
    let emulator = emulator();
    let arguments = ["proxy", "--listen", "0.0.0.0:0", "--log-format", "json"];
    let run = Run::with(&emulator, &arguments);
    assert_eq!(run.code, Some(1), "{run:?}");
    let event = json(run.stderr.trim());
    assert_eq!(event["level"], "ERROR");
    assert!(event["message"].as_str().unwrap().contains("other machines"), "{event}");
}
