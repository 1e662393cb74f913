//! Postgres as a child that cannot be left behind.
//!
//! Between us and Postgres stands a small shell: it makes a cluster, starts Postgres, then reads from a pipe whose other
//! end only this process holds. When the pipe ends, whether by [`Drop`] or because this process was killed,
//! it stops Postgres and removes the folder. No signal handler, no unsafe code.

use std::fs::{self, DirBuilder, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

use super::Admin;
use crate::{Error, random};

/// `$1` folder of the programs, `$2` our folder, `$3` connections.
///
/// Descriptor 3 is a pipe that only the programs hold, so its end tells that they are gone. Before Postgres has
/// installed its handlers SIGTERM ends it (background jobs ignore SIGINT); after that SIGINT makes it a fast shutdown.
const SUPERVISOR: &str = r#"
exec 3>&1 >/dev/null
"$1/initdb" -U postgres -A trust -E UTF8 --locale=C --no-sync -D "$2/data" \
  </dev/null >"$2/postgres.log" 2>&1 &&
{ "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c shared_buffers=16MB -c dynamic_shared_memory_type=mmap \
    -c max_connections="$3" </dev/null >"$2/postgres.log" 2>&1 &
}
exec 3>&-
while read -r _; do :; done
if [ -n "$!" ]; then
  kill -TERM "$!" 2>/dev/null
  kill -INT "$!" 2>/dev/null
  wait "$!"
fi
cd /
rm -rf "$2"
"#;

/// Longest socket path that every platform accepts is 103 bytes.
const MAX_BASE: usize = 80;

/// A running Postgres. Dropping it stops the process and removes the folder.
#[derive(Debug)]
pub(crate) struct Postgres {
    base: PathBuf,
    supervisor: Child,
}

impl Postgres {
    /// Creates a cluster in a new private folder and starts it; returns when it answers.
    pub(crate) async fn start(bin: &Path, connections: u32) -> Result<Self, Error> {
        let base = private_folder()?;
        let mut supervisor = match launch(bin, &base, connections) {
            Ok(supervisor) => supervisor,
            Err(error) => {
                let _ = fs::remove_dir_all(&base);
                return Err(error);
            }
        };
        let programs = supervisor.stdout.take();
        let postgres = Self { base, supervisor };
        let programs = programs.ok_or_else(|| Error::new("Postgres has no pipe"))?;
        let programs = Receiver::from_file(File::from(OwnedFd::from(programs)));
        let mut programs = programs.map_err(|e| Error::with("cannot watch Postgres", e))?;
        let mut byte = [0];
        let problem = tokio::select! {
            ready = postgres.ready() => match ready {
                Ok(()) => return Ok(postgres),
                Err(error) => error,
            },
            _ = programs.read(&mut byte) => Error::new("Postgres ended before it was ready"),
        };
        let log = fs::read_to_string(postgres.base.join("postgres.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(6)..).unwrap_or_default().join(" | ");
        Err(Error::with(
            format!("Postgres from '{}' did not start; its log ends: {tail}", bin.display()),
            problem,
        ))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.base
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.base.join(".s.PGSQL.5432")
    }

    /// Returns when it answers, with the last failure after half a minute.
    async fn ready(&self) -> Result<(), Error> {
        let admin = Admin::new(&self.socket());
        let mut last = Ok(());
        for _ in 0..6_000 {
            last = admin.run(&[]).await;
            if last.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        last.map_err(|error| Error::with("Postgres did not answer within 30 s", error))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
        // The supervisor may lack the right to remove the folder itself from its parent.
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// A new folder that only we can enter, with a path short enough for a socket.
fn private_folder() -> Result<PathBuf, Error> {
    let temp = std::env::temp_dir();
    let temp = if temp.as_os_str().len() > MAX_BASE { PathBuf::from("/tmp") } else { temp };
    let base = temp.join(format!("lakebase-{}", random::hex::<6>()));
    DirBuilder::new()
        .mode(0o700)
        .create(&base)
        .map_err(|e| Error::with(format!("cannot create the folder '{}'", base.display()), e))?;
    Ok(base)
}

fn launch(bin: &Path, base: &Path, connections: u32) -> Result<Child, Error> {
    let io = |what: &str, e: std::io::Error| Error::with(format!("cannot {what}"), e);
    let owner = unprivileged(base).map_err(|e| io("look at the new folder", e))?;
    if let Some((uid, gid)) = owner {
        chown(base, Some(uid), Some(gid))
            .map_err(|e| io("give the folder to an unprivileged user", e))?;
    }
    let mut command = Command::new("/bin/sh");
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("LC_ALL", "C")
        .current_dir("/");
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command
        .args(["-c", SUPERVISOR, "lakebase-postgres"])
        .args([bin, base])
        .arg(connections.to_string())
        // A Ctrl-C in a terminal reaches our process alone, which then ends the pipe.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
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
