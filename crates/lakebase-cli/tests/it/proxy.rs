//! `lakebase proxy`: one line when it listens, sessions of real clients, a clean end.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use lakebase_emulator::Emulator;
use serde_json::Value;

use crate::support::{Run, configured, emulator, json};

/// A running `lakebase proxy`; killed if a test fails in between.
pub(crate) struct Running {
    child: Child,
    pub(crate) ready: Value,
    pub(crate) listeners: Vec<Value>,
}

impl Running {
    pub(crate) fn start(emulator: &Emulator, arguments: &[&str]) -> Self {
        Self::spawn(configured(emulator).args(["proxy", "--json"]).args(arguments))
    }

    /// Runs until it says that it is ready.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = json(&line);
        let listeners = ready["listeners"].as_array().unwrap().clone();
        Self { child, ready, listeners }
    }

    pub(crate) fn psql(&self, listener: usize, arguments: &[&str]) -> Command {
        let Value::Object(place) = &self.listeners[listener] else { panic!("no object") };
        let mut psql = Command::new("psql");
        psql.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("PGUSER", "anybody");
        psql.args(["-X", "-A", "-t", "-h", place["host"].as_str().unwrap()]);
        psql.args(["-p", &place["port"].to_string()]).args(arguments);
        psql
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Sends a signal and waits for the end: the exit code and standard error.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let stderr = std::io::read_to_string(self.child.stderr.take().unwrap()).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn clients_are_logged_in_on_every_listener_until_the_signal() {
    let emulator = emulator();
    let service = emulator.description();
    let folder = tempfile::tempdir().unwrap();
    let (here, socket) = ("127.0.0.1:0", format!("{}/s", folder.path().display()));
    let elsewhere = format!("127.0.0.1:0={}", service.read_only_endpoint);
    let route = format!("user:reader={}", service.read_only_endpoint);
    let running = Running::start(
        &emulator,
        &[
            &["--listen", here, "--listen", &elsewhere, "--listen-read-only", here][..],
            &["--unix-socket", &socket, "--route", &route],
        ]
        .concat(),
    );
    let sql = "select current_user, current_setting('transaction_read_only')";
    for (listener, read_only) in [(0, "off"), (1, "on"), (2, "on"), (3, "off")] {
        let row = Run::of(running.psql(listener, &["-c", sql]).env("PGAPPNAME", "x")).success();
        assert_eq!(row.trim(), format!("{}|{read_only}", service.client_id), "{listener}");
    }
    let row =
        Run::of(running.psql(0, &["-U", "reader", "-c", sql]).env("PGAPPNAME", "x")).success();
    assert_eq!(row.trim(), format!("{}|on", service.client_id), "by the user's name");
    assert_eq!(running.listeners[3]["host"], socket.as_str());
    assert_eq!(running.listeners[1]["target"], service.read_only_endpoint.as_str());
    let (code, stderr) = running.end("TERM");
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("lakebase: listening on ").count(), 4, "{stderr}");
    assert!(!stderr.contains("eyJ") && !stderr.contains(&service.client_secret), "{stderr}");
}

#[test]
fn nobody_else_gets_in_by_mistake() {
    let emulator = emulator();
    let refused = |arguments: &[&str]| {
        let arguments: Vec<_> = ["proxy"].iter().chain(arguments).copied().collect();
        Run::with(&emulator, &arguments).failure()
    };
    for (arguments, words) in [
        (&["--listen", "0.0.0.0:0"][..], "other machines"),
        (&["--listen", "0.0.0.0:0", "--allow-remote"], "needs a password or client certificates"),
        (&["--unix-socket", "/"], "accepted: mode 0700"),
        (&["--listen", "nowhere"], "accepted: ADDRESS:PORT or PORT"),
        (&["--route", "shop"], "NAME=projects/"),
        (&["--password-file", "/nonexistent"], "/nonexistent"),
    ] {
        let error = refused(arguments);
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
}
