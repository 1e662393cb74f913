//! The machine xtask runs on: environment, clock, folders and how cargo is called. Everything else gets these from here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Why a command could not do its work.
#[derive(Clone, Debug)]
pub struct Failure {
    message: String,
    usage: bool,
    forbidden: bool,
}

impl Failure {
    /// Something went wrong while working.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), usage: false, forbidden: false }
    }

    /// The command line was wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), usage: true, forbidden: false }
    }

    /// The machine does not allow it, and nothing that could be installed would help.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self { message: message.into(), usage: false, forbidden: true }
    }

    /// Whether the machine does not allow it.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.forbidden
    }

    /// 2 for a wrong command line, else 1.
    pub fn exit_code(&self) -> u8 {
        if self.usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Adds what was being done to an error of any kind.
pub trait Doing<T> {
    /// `what` completes the sentence "could not …".
    fn doing(self, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("could not {what}: {error}")))
    }
}

/// A variable of the process environment, if set and not empty.
pub(crate) fn env(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where xtask reads its environment"
    )]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// True when missing tools are errors and not skips.
pub(crate) fn in_ci() -> bool {
    env("CI").is_some_and(|value| value != "false" && value != "0")
}

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch(Instant);

impl Watch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "xtask measures its own commands")]
        Self(Instant::now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "xtask measures its own commands")]
        self.0.elapsed()
    }
}

/// Waits a moment between two looks at a running process.
pub fn pause(duration: Duration) {
    #[expect(clippy::disallowed_methods, reason = "xtask waits for child processes")]
    std::thread::sleep(duration);
}

/// The folder that holds the root `Cargo.toml`.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Where cargo builds and xtask keeps logs and tools: `CARGO_TARGET_DIR`, else `target`.
pub fn target_dir() -> PathBuf {
    env("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Whether this process may install system packages.
pub(crate) fn is_root() -> bool {
    let Ok(output) = Command::new("id").arg("-u").output() else { return false };
    output.stdout.trim_ascii() == b"0"
}

/// The machine's compilation target, as in `x86_64-unknown-linux-gnu`.
pub fn host_triple() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").output().doing("run `rustc -vV`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("`rustc -vV` names no host"))
}

/// Cargo, in the root folder, with our target folder and quiet output.
///
/// `cargo run` leaves variables that describe *this* package; they are removed, because build scripts such as ring's rebuild when they change.
pub fn cargo() -> Command {
    let mut command = Command::new(env("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            command.env_remove(name);
        }
    }
    command
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target_dir())
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .env("CARGO_NET_RETRY", "10");
    command
}

/// The same of another toolchain, which rustup has.
pub fn cargo_of(toolchain: &str) -> Command {
    let ours = cargo();
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, "cargo"]);
    for (name, value) in ours.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env_remove("CARGO").env_remove("RUSTC").current_dir(root());
    command
}

fn describes_a_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || matches!(name, "CARGO_CRATE_NAME" | "CARGO_BIN_NAME" | "CARGO_PRIMARY_PACKAGE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_holds_the_workspace_manifest() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn only_variables_about_a_package_are_removed() {
        assert!(describes_a_package("CARGO_PKG_NAME"));
        assert!(describes_a_package("CARGO_MANIFEST_DIR"));
        assert!(!describes_a_package("CARGO_HOME"));
        assert!(!describes_a_package("CARGO"));
    }

    #[test]
    fn errors_say_what_was_being_done() {
        let error = "no".parse::<u8>().doing("read the count").unwrap_err();
        assert_eq!(error.to_string(), "could not read the count: invalid digit found in string");
        assert_eq!(error.exit_code(), 1);
    }
}
