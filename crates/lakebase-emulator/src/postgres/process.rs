//! Postgres as a child that cannot be left behind.
//!
//! Between us and Postgres stands a small shell: it starts Postgres, then reads from a pipe whose other
//! end only this process holds. When the pipe ends, whether by [`Drop`] or because this process was killed,
//! it stops Postgres and removes the folder. No signal handler, no unsafe code.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Admin;
use crate::{Error, random};

/// `$1` postgres, `$2` folder, `$3` connections. Own process group: a Ctrl-C in a terminal reaches only our parent.
const SUPERVISOR: &str = r#"
"$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
  -c full_page_writes=off -c shared_buffers=16MB -c dynamic_shared_memory_type=mmap \
  -c max_connections="$3" -c logging_collector=off </dev/null >"$2/postgres.log" 2>&1 &
postgres=$!
while read -r _; do :; done
kill -INT "$postgres" 2>/dev/null
wait "$postgres"
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
        drop(supervisor.stdout.take());
        let postgres = Self { base, supervisor };
        postgres.wait_until_ready().await?;
        Ok(postgres)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.base
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.base.join(".s.PGSQL.5432")
    }

    async fn wait_until_ready(&self) -> Result<(), Error> {
        let admin = Admin::new(&self.socket());
        let mut last = None;
        for _ in 0..6_000 {
            match admin.run(&[]).await {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let log = fs::read_to_string(self.base.join("postgres.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(5).collect();
        let message =
            format!("Postgres did not get ready within 30 s; its log ends: {}", tail.join(" | "));
        Err(last.map_or_else(|| Error::new(&message), |error| Error::with(&message, error)))
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
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C")
            .current_dir("/");
        if let Some((uid, gid)) = owner {
            command.uid(uid).gid(gid);
        }
        command
    };
    let initdb = command(&bin.join("initdb"))
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
        .arg(base.join("data"))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| io("run initdb", e))?;
    if !initdb.status.success() {
        let said = String::from_utf8_lossy(&initdb.stderr);
        return Err(Error::new(format!("initdb failed ({}): {}", initdb.status, said.trim())));
    }
    command(Path::new("/bin/sh"))
        .args(["-c", SUPERVISOR, "lakebase-postgres"])
        .arg(bin.join("postgres"))
        .arg(base)
        .arg(connections.to_string())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|e| io("start Postgres", e))
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
