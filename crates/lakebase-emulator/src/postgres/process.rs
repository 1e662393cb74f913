//! A running Postgres.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

use super::Admin;
use super::supervise::Supervised;
use super::template::Template;
use crate::Error;

/// `$1` our folder, `$2` folder of the programs, `$3` cluster to copy, `$4` connections.
///
/// Standard output is held by the programs only, so its end tells that they are gone. Before Postgres has
/// installed its handlers SIGTERM ends it (background jobs ignore SIGINT); after that SIGINT makes it a fast shutdown.
const SCRIPT: &str = r#"
exec 3>&1 >/dev/null
cp -R "$3" "$1/data" 2>"$1/log" && chmod 700 "$1/data" &&
{ "$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c shared_buffers=16MB -c dynamic_shared_memory_type=mmap \
    -c max_connections="$4" </dev/null >"$1/log" 2>&1 &
}
exec 3>&-
while read -r _; do :; done
if [ -n "$!" ]; then
  kill -TERM "$!" 2>/dev/null
  kill -INT "$!" 2>/dev/null
  wait "$!"
fi
cd /
rm -rf "$1"
"#;

/// Dropping it stops the process and removes the folder.
#[derive(Debug)]
pub(crate) struct Postgres {
    supervised: Supervised,
    _template: Arc<Template>,
}

impl Postgres {
    /// Starts Postgres on a new cluster in a new private folder; returns when it answers.
    pub(crate) async fn start(bin: &Path, connections: u32) -> Result<Self, Error> {
        let template = Template::shared(bin)?;
        let data = template.data();
        let connections = connections.to_string();
        let arguments = [bin.as_os_str(), data.as_os_str(), OsStr::new(&connections)];
        let (supervised, output) = Supervised::start(SCRIPT, &arguments)?;
        let postgres = Self { supervised, _template: template };
        let output = output.ok_or_else(|| Error::new("Postgres has no pipe"))?;
        let output = Receiver::from_file(File::from(OwnedFd::from(output)));
        let mut output = output.map_err(|e| Error::with("cannot watch Postgres", e))?;
        let mut byte = [0];
        let problem = tokio::select! {
            ready = postgres.ready() => match ready {
                Ok(()) => return Ok(postgres),
                Err(error) => error,
            },
            _ = output.read(&mut byte) => Error::new("Postgres ended before it was ready"),
        };
        let (bin, tail) = (bin.display(), postgres.supervised.last_words());
        let message = format!("Postgres from '{bin}' did not start; its log ends: {tail}");
        Err(Error::with(message, problem))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.supervised.folder()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder().join(".s.PGSQL.5432")
    }

    /// Returns when it answers, with the last failure after a minute.
    async fn ready(&self) -> Result<(), Error> {
        let admin = Admin::new(&self.socket());
        let mut last = Ok(());
        for _ in 0..12_000 {
            last = admin.run(&[]).await;
            if last.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        last.map_err(|error| Error::with("Postgres did not answer within a minute", error))
    }
}
