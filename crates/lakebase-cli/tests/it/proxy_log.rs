//! `lakebase proxy --log-format`: one event per line, of the same form, without statements or secrets.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use lakebase_emulator::Emulator;
use serde_json::Value;

use crate::proxy::Running;
use crate::support::{Run, emulator, json};

/// What a proxy writes to standard error while one client comes and goes and another is rejected.
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
    assert_eq!(find("client rejected")["sqlstate"], "3D000");
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
    assert!(log.contains("session opened") && log.contains("client rejected"), "{log}");
}

#[test]
fn a_quiet_log_holds_warnings_only() {
    let log = log(&emulator(), &["--log-format", "json", "--quiet"]);
    let levels: Vec<Value> = log.lines().map(|line| json(line)["level"].clone()).collect();
    assert!(!levels.is_empty() && levels.iter().all(|level| level == "WARN"), "{log}");
}

/// The events of clients that were rejected: each sends some bytes and hangs up, if told so.
fn rejected(more: &[&str], clients: &[(&[u8], bool)]) -> Vec<Value> {
    let arguments = [&["--listen", "127.0.0.1:0", "--log-format", "json"], more].concat();
    let proxy = Running::start(&emulator(), &arguments);
    let port = u16::try_from(proxy.listeners[0]["port"].as_u64().unwrap()).unwrap();
    for (bytes, hang_up) in clients {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(bytes).unwrap();
        if *hang_up {
            client.shutdown(Shutdown::Write).unwrap();
        }
        client.read_to_end(&mut Vec::new()).unwrap();
    }
    let (_, log) = proxy.end("TERM");
    assert!(!log.contains("canary"), "{log}");
    log.lines().map(json).filter(|event| event["message"] == "client rejected").collect()
}

#[test]
fn what_is_no_start_is_told_by_its_first_bytes_and_no_more() {
    let away = rejected(
        &[],
        &[
            (b"", true),
            (&[0, 0, 0, 8, 4, 210, 22, 47], true),
            (b"GET /?token=canary HTTP/1.1\r\nAuthorization: Bearer canary\r\n\r\n", false),
            (b"\x16\x03\x01\x00\xc8", false),
            (b"p\0\0\0\x0bcanary\0", false),
            (b"\n\x1b]0", false),
            (b"\0\0\0", true),
            (b"\0\0\0\x20\0\x03\0\0user\0canary", true),
            (b"\0\0\0\x09\0\x03\0\0\0", false),
        ],
    );
    let expected = [
        ("08P01", false, "(it began with 'GET ', as HTTP does)"),
        ("08P01", false, "as TLS does, which is not offered here)"),
        ("08P01", false, "as a message does that has no place before a startup packet)"),
        ("08P01", false, "]0')"),
        ("08P01", false, "the client went away after 3 bytes of it"),
        ("08P01", false, "the client went away after 19 bytes of it"),
        ("28000", true, "no PostgreSQL user name specified in startup packet"),
    ];
    assert_eq!(away.len(), expected.len(), "{away:#?}");
    for (event, (sqlstate, answered, end)) in away.iter().zip(expected) {
        assert_eq!((&event["sqlstate"], &event["answered"]), (&sqlstate.into(), &answered.into()));
        let reason = event["reason"].as_str().unwrap();
        assert!(reason.trim_end_matches('"').ends_with(end), "{reason}");
        assert!(reason.len() < 200 && reason.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
    }
}

#[test]
fn a_start_that_takes_too_long_is_an_event_if_it_began() {
    let half = b"\0\0\0\x20\0\x03\0\0user\0canary";
    let away = rejected(&["--startup-timeout", "1"], &[(b"", false), (half, false)]);
    let [event] = away.as_slice() else { panic!("{away:#?}") };
    assert_eq!((&event["sqlstate"], &event["received"]), (&"57014".into(), &19.into()));
    assert_eq!(event["reason"], "\"the start took longer than 1s\"");
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
