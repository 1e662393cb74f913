//! `cargo xtask clients python|identity|node|proxy|windows|musl`: unmodified clients against the emulator: official ones, beside ours where both can tell the same
//! identity from the same environment, and any through `lakebase proxy`.
//!
//! The emulator runs as the command does for a user: one JSON line when it is ready, until standard input closes. The scripts in `xtask/clients` get
//! that line in `LAKEBASE_EMULATOR` and end with `N passed, N failed`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Outcome;
use crate::process::{kill_group, shown};
use crate::provision::{self, Tool};
use crate::system::{Doing, Failure, Watch, cargo, pause, root, target_dir};

/// `initdb` takes about a second; a loaded machine several.
const READY: Duration = Duration::from_secs(120);
/// Stopping Postgres takes some milliseconds.
const GONE: Duration = Duration::from_secs(30);

/// Which clients.
pub(crate) fn command(args: &[&str]) -> Outcome {
    let name = match args {
        ["python"] => "official.py",
        ["identity"] => "identity.py",
        ["node"] => "official.mjs",
        ["proxy"] => "proxy.py",
        ["windows" | "musl"] => "foreign.py",
        _ => {
            let known = "python, identity, node, proxy, windows or musl";
            return Err(Failure::usage(format!("clients takes {known}")));
        }
    };
    let program = if args == ["node"] { "node".into() } else { provision::python()? };
    let mut script = Command::new(program);
    script.arg(root().join("xtask/clients").join(name));
    match args {
        ["identity"] => script.env(
            "LAKEBASE_IDENTITY",
            built("dev", &["--package", "lakebase-tests", "--features", "tokio"], "identity")?,
        ),
        ["node"] => script.env("LAKEBASE_PACKAGES", provision::node()?),
        ["proxy"] => script.args(["Clients", "Suspension"]),
        ["windows" | "musl"] => script.args(args).env("LAKEBASE_TARGETS", target_dir()),
        _ => &mut script,
    };
    let emulator = Emulator::start()?;
    // The process environment must not configure the clients.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(configures_a_client) {
            script.env_remove(name);
        }
    }
    script.env("LAKEBASE_EMULATOR", &emulator.line);
    if args == ["proxy"] {
        script.env("LAKEBASE_PROXY", proxy_stage(&emulator)?.to_string());
    }
    if let Some(ca) = emulator.value("ca_cert") {
        script.env("NODE_EXTRA_CA_CERTS", ca);
    }
    let status =
        script.current_dir(target_dir()).stdin(Stdio::null()).status().doing("run the client")?;
    Ok(status.success())
}

/// What `proxy.py` is to know.
fn proxy_stage(emulator: &Emulator) -> Result<Value, Failure> {
    let it = &emulator.description;
    Ok(json!({
        "program": built_command()?,
        "environment": {
            "DATABRICKS_HOST": it["host"],
            "DATABRICKS_CLIENT_ID": it["client_id"],
            "DATABRICKS_CLIENT_SECRET": it["client_secret"],
            "LAKEBASE_ENDPOINT": it["endpoint"],
            "LAKEBASE_DNS": it["dns"],
            "PGPORT": it["pg_port"].to_string(),
            "PGSSLROOTCERT": it["ca_cert"],
        },
        "user": it["client_id"],
        "database": it["database"],
        "packages": provision::node()?,
        "emulator": it,
    }))
}

/// Builds the program `name` of a package by cargo's `profile`, and says where it is.
pub fn built(profile: &str, package: &[&str], name: &str) -> Result<PathBuf, Failure> {
    let mut build = cargo();
    shown(build.args(["build", "--quiet", "--profile", profile, "--bin", name]).args(package))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target_dir().join(folder).join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// The same for the command `lakebase`.
pub(crate) fn built_command() -> Result<PathBuf, Failure> {
    built("dev", &["--package", "lakebase-cli"], "lakebase")
}

fn configures_a_client(name: &str) -> bool {
    ["DATABRICKS_", "PG", "LAKEBASE_", "ARM_", "GOOGLE_", "ACTIONS_ID_", "SYSTEM_", "CLOUDSDK_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        && !["LAKEBASE_PACKAGES", "LAKEBASE_IDENTITY", "LAKEBASE_TARGETS", "LAKEBASE_WINE"]
            .contains(&name)
}

/// `lakebase emulator`, stopped on drop.
struct Emulator {
    child: Child,
    /// What it printed when it was ready.
    line: String,
    description: Value,
}

impl Emulator {
    fn start() -> Result<Self, Failure> {
        let env = provision::provide(Tool::Postgres)?;
        let program = built_command()?;
        let mut command = Command::new(&program);
        command.arg("emulator").envs(env).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().doing(format!("start {}", program.display()))?;
        let output = child.stdout.take();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = output.map(|output| BufReader::new(output).read_line(&mut line));
            let _ = sender.send((read, line));
        });
        let line = receiver.recv_timeout(READY).map(|(_, line)| line).unwrap_or_default();
        match serde_json::from_str(&line) {
            Ok(description) => Ok(Self { child, line: line.trim().to_owned(), description }),
            Err(error) => {
                kill_group(&mut child);
                Err(Failure::new(format!(
                    "`lakebase emulator` did not print one line of JSON when ready ({error})"
                )))
            }
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.description.get(key).and_then(Value::as_str)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Closing standard input asks it to stop; it then takes its Postgres with it.
        drop(self.child.stdin.take());
        let waiting = Watch::start();
        while !matches!(self.child.try_wait(), Ok(Some(_))) {
            if waiting.elapsed() > GONE {
                eprintln!(
                    "clients: the emulator did not stop within {} s and was killed",
                    GONE.as_secs()
                );
                return kill_group(&mut self.child);
            }
            pause(Duration::from_millis(50));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_clients_are_recognised() {
        for name in ["DATABRICKS_HOST", "PGHOST", "PGPASSWORD", "LAKEBASE_ENDPOINT"] {
            assert!(configures_a_client(name), "{name}");
        }
        for name in ["PATH", "HOME", "LAKEBASE_PACKAGES", "SSL_CERT_FILE"] {
            assert!(!configures_a_client(name), "{name}");
        }
    }
}
