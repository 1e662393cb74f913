//! `lakebase emulator`: one line when it is ready, and a clean end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::support::{bare, json};

/// A running `lakebase emulator`; killed if a test fails in between.
struct Running {
    child: Child,
    description: Value,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = bare();
        command.arg("emulator").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, description: json(&line) }
    }

    fn value(&self, key: &str) -> &str {
        self.description[key].as_str().unwrap_or_else(|| panic!("no {key}"))
    }

    /// Waits for the end, which must leave no file behind.
    fn ended(mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        let ca = self.value("ca_cert");
        assert!(!Path::new(ca).exists(), "{ca} is still there");
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn prints_its_description_and_ends_with_standard_input() {
    let mut running = Running::start(&[]);
    assert!(running.value("host").starts_with("http://127.0.0.1:"));
    assert!(Path::new(running.value("ca_cert")).exists());
    let keys = "client_id client_secret token user project branch endpoint read_only_endpoint \
                pg_host provisioned_instance provisioned_host dns database password_user password";
    for key in keys.split(' ') {
        assert!(!running.value(key).is_empty(), "{key}");
    }
    assert!(running.description["pg_port"].is_u64());
    assert!(running.child.try_wait().unwrap().is_none(), "it runs while standard input is open");
    drop(running.child.stdin.take());
    assert_eq!(running.ended().code(), Some(0));
}

#[test]
fn obeys_its_options_and_ends_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let running = Running::start(&["--https", "--page-size", "2"]);
        assert!(running.value("host").starts_with("https://localhost:"));
        let kill = format!("kill -{signal} {}", running.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert_eq!(running.ended().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_missing_postgres_is_explained() {
    let mut command = bare();
    let output = command.args(["emulator", "--postgres-bin", "/nonexistent"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("lakebase: ") && error.contains("/nonexistent"), "{error}");
    assert!(output.stdout.is_empty());
}
