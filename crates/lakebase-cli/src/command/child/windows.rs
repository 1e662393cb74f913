//! Console events, exit codes and batch files of Windows.

use std::io;
use std::path::Path;
use std::process::ExitStatus;

use lakebase_runtime::platform::batch_file;
use tokio::process::{Child, Command};
use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose};

/// Starts batch files by their name alone, too: `npm` and many others are one.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    let spawned = command.spawn();
    let standard = command.as_std();
    let batch = batch_file(Path::new(standard.get_program()));
    match (spawned, batch) {
        (Err(error), Some(batch)) if error.kind() == io::ErrorKind::NotFound => {
            let mut command = Command::new(batch);
            command.args(standard.get_args()).kill_on_drop(true);
            for (name, value) in standard.get_envs() {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
            command.spawn()
        }
        (spawned, _) => spawned,
    }
}

pub(super) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}

/// An event of the console.
pub(super) struct Event;

/// Nothing: Windows itself signals every process of a console.
pub(super) fn pass_on(_: &Child, _: Event) {}

/// The events that would end this process.
pub(super) struct Signals {
    interrupt: CtrlC,
    stop: CtrlBreak,
    close: CtrlClose,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            stop: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
        })
    }

    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.interrupt.recv() => Event,
            _ = self.stop.recv() => Event,
            _ = self.close.recv() => Event,
        }
    }
}
