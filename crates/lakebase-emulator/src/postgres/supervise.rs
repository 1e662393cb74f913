//! A private folder and a shell that cannot be left behind.
//!
//! The shell does the work, then reads from a pipe whose other end only this process holds. When the pipe ends,
//! whether by [`Drop`] or because this process was killed, it cleans up and removes the folder. No signal
//! handler, no unsafe code.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::{Error, random};

/// Longest folder below which a socket path stays within what every platform accepts (103 bytes).
const MAX_TEMP: usize = 70;

/// A folder and its shell. Dropping it ends what the shell started and removes the folder.
#[derive(Debug)]
pub(super) struct Supervised {
    folder: PathBuf,
    shell: Child,
    /// The user that it runs as, if that is another one.
    uid: Option<u32>,
}

impl Supervised {
    /// Runs `script` with the folder as `$1` and `arguments` after it, as the owner of the folder.
    ///
    /// The second value is the shell's standard output.
    pub(super) fn start(
        script: &str,
        arguments: &[&OsStr],
    ) -> Result<(Self, Option<ChildStdout>), Error> {
        let folder = private_folder()?;
        let (mut shell, uid) = launch(script, &folder, arguments).inspect_err(|_| {
            // Nothing runs in it yet.
            let _ = fs::remove_dir_all(&folder);
        })?;
        let output = shell.stdout.take();
        Ok((Self { folder, shell, uid }, output))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last lines of the folder's `log`, in one line, and what is special about how they came to be.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(6)..).unwrap_or_default().join(" | ");
        match self.uid {
            Some(uid) => format!(
                "{tail} (run as user {uid}, as Postgres refuses to be root; that user must be able to read the programs)"
            ),
            None => tail,
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
        // The shell may lack the right to remove the folder itself from its parent.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder that only its owner can enter.
fn private_folder() -> Result<PathBuf, Error> {
    let temp = std::env::temp_dir();
    let temp = if temp.as_os_str().len() > MAX_TEMP { PathBuf::from("/tmp") } else { temp };
    let folder = temp.join(format!("lakebase-{}", random::hex::<6>()));
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(|e| Error::with(format!("cannot create the folder '{}'", folder.display()), e))?;
    Ok(folder)
}

fn launch(
    script: &str,
    folder: &Path,
    arguments: &[&OsStr],
) -> Result<(Child, Option<u32>), Error> {
    let io = |what: &str, e: std::io::Error| Error::with(format!("cannot {what}"), e);
    let owner = unprivileged(folder).map_err(|e| io("look at the new folder", e))?;
    let mut command = Command::new("/bin/sh");
    if let Some((uid, gid)) = owner {
        chown(folder, Some(uid), Some(gid))
            .map_err(|e| io("give the folder to an unprivileged user", e))?;
        command.uid(uid).gid(gid);
    }
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .args(["-c", script, "lakebase-postgres"])
        .arg(folder)
        .args(arguments)
        // A Ctrl-C in a terminal reaches our process alone, which then ends the pipe.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(|shell| (shell, owner.map(|(uid, _)| uid)))
        .map_err(|e| io("start a shell for Postgres", e))
}

/// The user to run Postgres as when we are root, which Postgres refuses: `postgres`, else `nobody`.
fn unprivileged(owned_by_us: &Path) -> std::io::Result<Option<(u32, u32)>> {
    if fs::metadata(owned_by_us)?.uid() != 0 {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |user: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Ok(Some(ids("postgres").or_else(|| ids("nobody")).unwrap_or((65_534, 65_534))))
}
