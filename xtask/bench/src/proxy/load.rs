//! What clients do: `pgbench`, and `psql` that copies 1 GB.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use xtask::process::captured;

use super::relays::Way;
use crate::clock;
use crate::postgres::Postgres;

/// `copy` of 1,048,576 rows of 1,023 bytes and a line end.
const GIGABYTE: &str = "copy (select repeat('x', 1023) from generate_series(1, 1048576)) to stdout";

/// One run of `pgbench -S`.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) clients: u32,
    /// A new connection for each transaction.
    pub(super) reconnect: bool,
    pub(super) seconds: u32,
}

impl Load {
    /// Transactions a second by `way`.
    pub(super) fn run(self, postgres: &Postgres, way: Way) -> Result<f64> {
        let mut command = client(postgres, "pgbench", way);
        command.args(["-n", "-S", "-T", &self.seconds.to_string()]);
        command.args(["-c", &self.clients.to_string()]);
        if self.reconnect {
            command.arg("-C");
        }
        let printed = captured(&mut command)?;
        tps(&printed).with_context(|| format!("pgbench printed no tps: {printed}"))
    }
}

/// Makes pgbench's tables.
pub(super) fn prepare(postgres: &Postgres) -> Result<()> {
    let mut command = client(postgres, "pgbench", Way::Tls(postgres.address.port()));
    captured(command.args(["-i", "-q"]))?;
    Ok(())
}

/// Seconds that a copy of 1 GB takes.
pub(super) fn copy(postgres: &Postgres, way: Way) -> Result<f64> {
    let mut command = client(postgres, "psql", way);
    let started = clock::now();
    let status = command.args(["-X", "-q", "-c", GIGABYTE]).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "psql ended with {status}");
    Ok(clock::since(started).as_secs_f64())
}

/// A client of the server, or in plain text of a relay.
fn client(postgres: &Postgres, name: &str, way: Way) -> Command {
    let mut command = postgres.client(name);
    command.stdin(Stdio::null());
    command.env("PGPORT", way.port().to_string());
    if matches!(way, Way::Plain(_)) {
        command.env("PGSSLMODE", "disable");
    }
    command
}

/// `tps = 1234.5 (without initial connection time)`; there is no such line if nothing was done in the time.
fn tps(printed: &str) -> Option<f64> {
    if printed.lines().any(|line| line == "number of transactions actually processed: 0") {
        return Some(0.0);
    }
    let value = printed.lines().find_map(|line| line.strip_prefix("tps = "))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read() {
        let printed = "number of clients: 1\nlatency average = 0.05 ms\ntps = 18123.5 (without initial connection time)\n";
        assert_eq!(tps(printed), Some(18_123.5));
        let nothing = "number of transactions actually processed: 0\nnumber of failed transactions: 0 (NaN%)\n";
        assert_eq!(tps(nothing), Some(0.0));
        assert_eq!(tps("pgbench: error"), None);
    }
}
