//! psql: a driver that knows nothing of tokens and blocks its thread.

use std::process::{Child, Command, ExitStatus, Stdio};

/// psql for `url`, with nothing of the environment of these tests. A login may take a minute.
pub(crate) fn psql(url: &str) -> Command {
    let mut psql = Command::new("psql");
    psql.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("PGCONNECT_TIMEOUT", "60");
    psql.args(["-X", "-A", "-t", "-d", url]).stdin(Stdio::null());
    psql
}

/// A running psql, killed on drop.
pub(crate) struct Psql(pub(crate) Child);

impl Psql {
    /// Starts `psql`; its messages are kept.
    pub(crate) fn start(psql: &mut Command) -> Self {
        Self(psql.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// Its messages, once it has ended.
    pub(crate) fn messages(&mut self) -> String {
        std::io::read_to_string(self.0.stderr.take().unwrap()).unwrap()
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
