//! Runs a program to its end, also while signals arrive.
//!
//! Ctrl-C on a terminal reaches every process in the foreground, so the program gets it by itself and decides what
//! it means; this process only must not end before it. What is sent to this process alone is passed on.

use std::io;

use anyhow::Context as _;
use tokio::process::Command;

use super::platform::{Signals, code, pass_on, spawn};

/// As shells and `env` have it: the program was found but cannot be run, or was not found.
const CANNOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Runs `command`; its exit code, or on Unix 128 and the number of the signal that killed it.
///
/// Without an exit code the program could not be started: 127 if there is none of this name, else 126.
///
/// # Errors
///
/// If signals cannot be listened to, or the system does not tell how the program ended.
pub(crate) async fn run(mut command: Command) -> anyhow::Result<i32> {
    // Before the program is there, so that none is missed.
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let mut child = match spawn(command.kill_on_drop(true)) {
        Ok(child) => child,
        Err(error) => {
            let name = command.as_std().get_program().to_string_lossy().into_owned();
            let code = match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => CANNOT_RUN,
            };
            let error = anyhow::Error::new(error).context(format!("cannot run {name:?}"));
            crate::failure::report(&error);
            return Ok(code);
        }
    };
    loop {
        tokio::select! {
            status = child.wait() => {
                return Ok(code(status.context("cannot wait for the program")?));
            }
            signal = signals.next() => pass_on(&child, signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a script of the platform's shell ended.
    async fn ended(script: &str) -> i32 {
        let (shell, option) = if cfg!(windows) { ("cmd", "/c") } else { ("sh", "-c") };
        let mut command = Command::new(shell);
        command.args([option, script]);
        run(command).await.unwrap()
    }

    #[tokio::test]
    async fn codes_are_passed_on() {
        assert_eq!(ended("exit 0").await, 0);
        assert_eq!(ended("exit 7").await, 7);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn signals_become_codes() {
        assert_eq!(ended("kill -9 $$").await, 137);
        assert_eq!(ended("kill -TERM $$").await, 143);
    }

    /// A code of 256 would be 0, a success, in eight bits.
    #[cfg(windows)]
    #[tokio::test]
    async fn codes_keep_their_32_bits() {
        assert_eq!(ended("exit 256").await, 256);
        assert_eq!(ended("exit -1073741510").await, -1_073_741_510);
    }

    #[cfg(windows)]
    #[tokio::test]
    async fn batch_files_are_found_without_their_extension() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("migrate.cmd"), "@exit %1\r\n").unwrap();
        let mut command = Command::new(folder.path().join("migrate"));
        command.arg("5");
        assert_eq!(run(command).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn what_cannot_be_run_has_the_codes_of_shells() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Command::new(folder.path().join("missing"));
        assert_eq!(run(missing).await.unwrap(), NOT_FOUND);
        assert_eq!(run(Command::new(folder.path())).await.unwrap(), CANNOT_RUN);
    }
}
