//! Running programs, the same way on every runtime: a thread waits for the program.
//!
//! That costs a thread for the few moments of a `databricks auth token`, and saves every runtime its own
//! machinery of signals.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::oneshot;
use lakebase_core::effect::ProcessOutput;
use lakebase_core::{Error, ErrorKind, Process, Result, Secret};

use crate::platform::batch_file;

/// How often a program is looked at that closed its output and still runs.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs programs on threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadProcess;

/// The result of a program that ended.
struct Ended {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[async_trait]
impl Process for ThreadProcess {
    async fn output(&self, program: &str, arguments: &[&str]) -> Result<ProcessOutput> {
        let failed = |error| failure(program, error);
        let child = start(program, arguments).map_err(failed)?;
        let child = KillOnDrop(Arc::new(Mutex::new(child)));
        let (sender, receiver) = oneshot::channel();
        let waiter = Arc::clone(&child.0);
        thread::Builder::new()
            .name("lakebase-process".to_owned())
            .spawn(move || {
                // The caller may have given up.
                let _ = sender.send(wait(&waiter));
            })
            .map_err(failed)?;
        let ended = receiver.await.map_err(io::Error::other).flatten().map_err(failed)?;
        // The usual case takes over the buffer, so that wiping the secret wipes the only copy.
        let stdout = String::from_utf8(ended.stdout)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Ok(ProcessOutput {
            success: ended.status.success(),
            stdout: Secret::new(stdout),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        })
    }
}

/// The Azure CLI is a batch file on Windows.
fn start(program: &str, arguments: &[&str]) -> io::Result<Child> {
    let spawn = |program: &Path| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn()
    };
    let program = Path::new(program);
    spawn(program).or_else(|error| match batch_file(program) {
        Some(batch) if error.kind() == io::ErrorKind::NotFound => spawn(&batch),
        _ => Err(error),
    })
}

fn failure(program: &str, error: io::Error) -> Error {
    let problem = if error.kind() == io::ErrorKind::NotFound {
        "was not found; give its full path or add its folder to PATH"
    } else {
        "could not be run"
    };
    Error::new(ErrorKind::Config, format!("the program {program:?} {problem}")).with_source(error)
}

/// Collects what the program prints, then its status. The child is not locked while it prints.
fn wait(child: &Mutex<Child>) -> io::Result<Ended> {
    let (stdout, stderr) = {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        (child.stdout.take(), child.stderr.take())
    };
    let errors = thread::Builder::new().spawn(move || read(stderr))?;
    let stdout = read(stdout)?;
    let stderr = errors.join().map_err(|_| io::Error::other("its output could not be read"))??;
    let (_alive, never) = mpsc::channel::<()>();
    loop {
        let ended = child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?;
        match ended {
            Some(status) => return Ok(Ended { status, stdout, stderr }),
            None => _ = never.recv_timeout(PAUSE),
        }
    }
}

fn read(from: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.map_or(Ok(0), |mut from| from.read_to_end(&mut text))?;
    Ok(text)
}

/// Ends the program with the future that waits for it; its thread then sees the end and reaps it.
struct KillOnDrop(Arc<Mutex<Child>>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // It fails if the program has ended by itself, which is as good.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}
