//! Child processes: run with a log and a time limit, or to completion with their output shown.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::Outcome;
use crate::system::{Doing, Failure, Watch, pause};

/// How long a process may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) total: Duration,
    /// Without output.
    pub(crate) silent: Duration,
}

/// Runs `command` without standard input, appending both its outputs to `log`, within `limits`. If it was
/// killed, because its time was up, there is no status.
///
/// `watch` is called several times a second with the time so far and the last line of the log. On time-out the whole process group is
/// killed, so that a hanging test binary does not outlive its cargo.
pub(crate) fn logged(
    command: &mut Command,
    log: &Path,
    limits: Limits,
    mut watch: impl FnMut(Duration, &str),
) -> Result<Option<ExitStatus>, Failure> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .doing(format!("open {}", log.display()))?;
    let other = file.try_clone().doing("share the log")?;
    own_group(command);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(other)
        .spawn()
        .doing(format!("start `{program}`"))?;
    let started = Watch::start();
    let (mut length, mut last_output) = (0, Duration::ZERO);
    loop {
        let status = child.try_wait().doing(format!("wait for `{program}`"))?;
        if status.is_some() {
            return Ok(status);
        }
        let elapsed = started.elapsed();
        let now = std::fs::metadata(log).map_or(length, |log| log.len());
        if now != length {
            (length, last_output) = (now, elapsed);
        }
        if elapsed >= limits.total || elapsed - last_output >= limits.silent {
            kill_group(&mut child);
            return Ok(None);
        }
        watch(elapsed, &last_line(log));
        pause(Duration::from_millis(100));
    }
}

/// Runs `command` with its output shown on standard error; an exit status other than 0 is a failure that says what was run.
pub fn shown(command: &mut Command) -> Result<(), Failure> {
    let line = describe(command);
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .doing(format!("run `{line}`"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{line}` ended with {status}")))
    }
}

/// Runs `command` as a part of this program: with its input and outputs, and an exit code other than 0 ends this one, too.
pub(crate) fn passed_on(command: &mut Command) -> Outcome {
    let line = describe(command);
    let status = command.status().doing(format!("run `{line}`"))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(code) => std::process::exit(code),
        None => Err(Failure::new(format!("`{line}` ended with {status}"))),
    }
}

/// Runs `command` and gives its standard output; its standard error goes into the failure.
pub fn captured(command: &mut Command) -> Result<String, Failure> {
    let line = describe(command);
    let output = command.stdin(Stdio::null()).output().doing(format!("run `{line}`"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let error = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(format!("`{line}` ended with {}: {}", output.status, error.trim())))
    }
}

/// The command as one would type it, without quoting.
pub fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// The last line of a growing file that is not empty, shortened to fit a terminal.
fn last_line(log: &Path) -> String {
    let mut tail = String::new();
    if let Ok(mut file) = File::open(log) {
        let length = file.metadata().map_or(0, |meta| meta.len());
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(length.saturating_sub(2048))).is_ok()
            && file.read_to_end(&mut bytes).is_ok()
        {
            tail = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    tail.lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
        .chars()
        .take(80)
        .collect()
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::io::IsTerminal;
    use std::os::unix::process::CommandExt;
    // On a terminal the child stays in our group, so that Ctrl-C reaches it too.
    if !std::io::stdin().is_terminal() {
        command.process_group(0);
    }
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Ends the child and, where it leads a group of its own, everything it started.
pub(crate) fn kill_group(child: &mut Child) {
    #[cfg(unix)]
    {
        let script = format!("kill -KILL -- -{} 2>/dev/null", child.id());
        let _ = Command::new("sh").args(["-c", &script]).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const MINUTE: Limits =
        Limits { total: Duration::from_secs(60), silent: Duration::from_secs(60) };

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn log(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("xtask-{}-{name}.log", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn both_outputs_go_to_the_log_in_order() {
        let log = log("order");
        let ended =
            logged(&mut sh("echo one; echo two >&2; echo three"), &log, MINUTE, |_, _| {}).unwrap();
        assert!(ended.is_some_and(|status| status.success()));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(last_line(&log), "three");
    }

    #[test]
    fn a_process_that_takes_too_long_is_killed() {
        let log = log("limit");
        let short = Duration::from_millis(20);
        for limits in [Limits { total: short, ..MINUTE }, Limits { silent: short, ..MINUTE }] {
            // A stopped process never ends by itself.
            let ended = logged(&mut sh("kill -STOP $$"), &log, limits, |_, _| {}).unwrap();
            assert_eq!(ended, None, "{limits:?}");
        }
    }

    #[test]
    fn failures_name_the_command_and_its_complaint() {
        let error = captured(&mut sh("echo broken >&2; exit 3")).unwrap_err().to_string();
        assert!(
            error.contains("sh -c") && error.contains("broken") && error.contains('3'),
            "{error}"
        );
    }
}
