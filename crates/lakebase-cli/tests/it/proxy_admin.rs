//! `lakebase proxy --admin`: the answers to probes, monitoring and the service manager.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use lakebase_emulator::{Effect, Emulator, Fault, Operation};
use serde_json::Value;

use crate::proxy::Running;
use crate::support::{Run, configured, emulator, json};

const ADMIN: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

/// Asks until the answer is `good`.
#[expect(clippy::disallowed_methods, reason = "another process, with clocks of its own")]
fn asked<T: std::fmt::Debug>(ask: impl Fn() -> T, good: impl Fn(&T) -> bool) -> T {
    for _ in 0..1_200 {
        let answer = ask();
        if good(&answer) {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not within a minute: {:?}", ask());
}

impl Running {
    /// The status and body of an answer to this request line.
    fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.ready["admin"].as_str().unwrap()).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: probe\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Asks until the proxy says that it is in this state; the status of that answer.
    fn until(&self, state: &str) -> (u16, Value) {
        let ready_z = || {
            let (status, body) = self.ask("GET /readyz");
            (status, json(&body))
        };
        asked(ready_z, |(_, body)| body["status"] == state)
    }

    /// Waits until the first metric whose name begins so has this value.
    fn until_metric(&self, name: &str, goal: f64) {
        let read = || {
            let (_, text) = self.ask("GET /metrics");
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        asked(read, |value| value.is_some_and(|value| (value - goal).abs() < 0.1));
    }

    /// The value of a metric, labels included in its name.
    fn metric(&self, name: &str) -> f64 {
        let (status, text) = self.ask("GET /metrics");
        assert_eq!(status, 200);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }
}

#[test]
fn readiness_follows_the_token_through_an_outage() {
    // Tokens live for 8 s, and are renewed from the fourth on.
    let lifetime = Duration::from_secs(8);
    let emulator = Emulator::builder().database_token_lifetime(lifetime).start().unwrap();
    let proxy = Running::start(&emulator, &ADMIN);
    let (status, body) = proxy.until("fresh");
    assert_eq!(status, 200);
    assert_eq!(body["targets"][0]["listener"], format!("127.0.0.1:{}", proxy.listeners[0]["port"]));
    assert!(body["good_until"].is_string(), "{body}");
    emulator.inject(Fault::new(Operation::Credentials, Effect::reply(503)));
    let (status, body) = proxy.until("degraded");
    assert_eq!((status, &body["targets"][0]["error"]), (200, &"unavailable".into()), "{body}");
    let (status, body) = proxy.until("dead");
    assert_eq!((status, &body["good_until"]), (503, &Value::Null), "{body}");
    assert_eq!(proxy.ask("GET /livez"), (200, "ok\n".to_owned()), "a restart would not help");
    emulator.clear();
    assert_eq!(proxy.until("fresh").0, 200);
    let logins = emulator.counters(&emulator.description().endpoint).unwrap();
    assert_eq!(logins.accepted + logins.refused, 0, "probes never touch the database: {logins:?}");
}

#[test]
fn metrics_tell_what_the_proxy_and_its_connector_do() {
    let emulator = emulator();
    let proxy = Running::start(&emulator, &ADMIN);
    assert_eq!(Run::of(&mut proxy.psql(0, &["-c", "select 1"])).success().trim(), "1");
    let missing = proxy.psql(0, &["-d", "no_such_database", "-c", "select 1"]).output().unwrap();
    assert!(!missing.status.success());
    assert!((proxy.metric("lakebase_proxy_logins_total{result=\"ok\"}") - 1.0).abs() < 0.1);
    assert!(proxy.metric("lakebase_proxy_logins_total{result=\"not_found\"}") > 0.9);
    assert!(proxy.metric("lakebase_logins_total{result=\"ok\"}") > 0.9, "the connector's own");
    assert!(proxy.metric("lakebase_proxy_bytes_total{direction=\"to_client\"}") > 100.0);
    let target = format!("projects/{0}/branches/production", emulator.description().project);
    let left = format!("lakebase_proxy_token_seconds{{target=\"{target}\",access=\"read_write\"}}");
    assert!(proxy.metric(&left) > 3_000.0);
    let (_, text) = proxy.ask("GET /metrics");
    assert!(text.contains("# HELP lakebase_proxy_sessions"), "{text}");
    for secret in [&emulator.description().client_secret, "eyJ", "select"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn pools_are_shown_to_people_probes_and_monitoring() {
    let emulator = emulator();
    let proxy = Running::start(&emulator, &[&ADMIN[..], &["--pool-size", "3"]].concat());
    for _ in 0..2 {
        assert_eq!(Run::of(&mut proxy.psql(0, &["-c", "select 1"])).success().trim(), "1");
        // The session is idle before the next client comes.
        proxy.until_metric("lakebase_proxy_pool_idle", 1.0);
    }
    let (_, body) = proxy.until("fresh");
    let pool = &body["targets"][0]["pool"];
    assert_eq!([&pool["size"], &pool["opened"], &pool["reused"]], [3, 1, 1]);
    let (status, table) = proxy.ask("GET /pools");
    assert_eq!(status, 200);
    let rows: Vec<Vec<_>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert_eq!(rows[0][2..7], ["access", "size", "active", "idle", "waiting"]);
    assert_eq!(rows[1][2..7], ["read_write", "3", "0", "1", "0"]);
    let (_, text) = proxy.ask("GET /metrics");
    for part in [
        "# TYPE lakebase_proxy_pool_wait_seconds histogram",
        ",le=\"0.001\"} 2\n",
        ",le=\"+Inf\"} 2\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let error = Run::with(&emulator, &["proxy", "--pool-size", "1", "--pool-min", "2"]).failure();
    assert!(error.contains("--pool-min 2: accepted: up to 1"), "{error}");
}

#[test]
fn other_requests_are_refused_and_silence_disturbs_nobody() {
    let emulator = emulator();
    let proxy = Running::start(&emulator, &ADMIN);
    assert_eq!(proxy.ask("POST /readyz").0, 405);
    assert_eq!(proxy.ask("GET /").0, 404);
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(proxy.ready["admin"].as_str().unwrap()).unwrap());
    }
    silent[0].write_all(&[0xff; 20_000]).unwrap();
    assert_eq!(proxy.ask("GET /livez").0, 200);
    let other = ["proxy", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"];
    let error = Run::with(&emulator, &other).failure();
    assert!(error.contains("--admin") && error.contains("other machines"), "{error}");
    let error = Run::with(&emulator, &["proxy", "--admin", "nowhere"]).failure();
    assert!(error.contains("accepted: ADDRESS:PORT or PORT"), "{error}");
}

#[test]
fn the_service_manager_and_probes_are_told_of_the_end() {
    let emulator = emulator();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let told = || {
        let mut text = [0; 64];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap().trim().to_owned()
    };
    let mut command = configured(&emulator);
    command.args(["proxy", "--json"]).args(ADMIN).env("NOTIFY_SOCKET", &path);
    let proxy = Running::spawn(&mut command);
    assert_eq!(told(), "READY=1");
    // A session that lasts keeps the proxy draining.
    let mut psql = proxy.psql(0, &["-c", "\\echo in", "-c", "select 1", "-f", "-"]);
    let mut session = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = [0; 2];
    session.stdout.as_mut().unwrap().read_exact(&mut seen).unwrap();
    proxy.signal("TERM");
    assert_eq!(told(), "STOPPING=1");
    let (status, body) = proxy.until("draining");
    assert_eq!(status, 503, "{body}");
    drop(session.stdin.take());
    assert!(session.wait().unwrap().success());
    let (code, stderr) = proxy.end("0");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("lakebase: metrics and probes on http://127.0.0.1:"), "{stderr}");
}
