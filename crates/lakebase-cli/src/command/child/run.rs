//! Runs a program to its end, whoever is signalled meanwhile.
//!
//! Ctrl-C on a terminal reaches every process in the foreground, so the program gets it by itself and decides what
//! it means; this process only must not end before it. What is sent to this process alone is passed on.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind};

/// As shells and `env` have it: the program was found but cannot be run, or was not found.
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Runs `command`; its exit code, or 128 and the number of the signal that killed it.
///
/// Without an exit code the program could not be started: 127 if there is none of this name, else 126.
///
/// # Errors
///
/// If signals cannot be listened to, or the system does not tell how the program ended.
pub(crate) async fn run(mut command: Command) -> anyhow::Result<ExitCode> {
    // Before the program is there, so that none is missed.
    let mut signals = Signals::listen()?;
    let mut child = match command.kill_on_drop(true).spawn() {
        Ok(child) => child,
        Err(error) => {
            let name = command.as_std().get_program().to_string_lossy().into_owned();
            let code = match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => CANNOT_RUN,
            };
            let error = anyhow::Error::new(error).context(format!("cannot run {name:?}"));
            crate::failure::report(&error);
            return Ok(ExitCode::from(code));
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

fn code(status: ExitStatus) -> ExitCode {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    // The system keeps eight bits of a code.
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1))
}

fn pass_on(child: &Child, signal: Signal) {
    let from_terminal = matches!(signal, Signal::INT | Signal::QUIT) && is_foreground();
    if from_terminal {
        return;
    }
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended just now.
        let _ = kill_process(pid, signal);
    }
}

/// Whether this process belongs to those that the terminal's keys signal.
fn is_foreground() -> bool {
    let group = |terminal| rustix::termios::tcgetpgrp(terminal).ok();
    let groups = [group(rustix::stdio::stdin()), group(rustix::stdio::stderr())];
    groups.contains(&Some(getpgrp()))
}

/// What would end this process.
struct Signals {
    interrupt: unix::Signal,
    quit: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| unix::signal(kind).context("cannot listen to signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.quit.recv() => Signal::QUIT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hang_up.recv() => Signal::HUP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ended(program: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", program]);
        format!("{:?}", run(command).await.unwrap())
    }

    #[tokio::test]
    async fn codes_and_signals_are_passed_on() {
        let code = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(ended("exit 0").await, code(0));
        assert_eq!(ended("exit 7").await, code(7));
        assert_eq!(ended("kill -9 $$").await, code(137));
        assert_eq!(ended("kill -TERM $$").await, code(143));
    }

    #[tokio::test]
    async fn what_cannot_be_run_has_the_codes_of_shells() {
        let code = |code: u8| format!("{:?}", ExitCode::from(code));
        let run = async |program: &str| format!("{:?}", run(Command::new(program)).await.unwrap());
        assert_eq!(run("/nonexistent/program").await, code(127));
        assert_eq!(run("/").await, code(126));
    }
}
