//! The rows of the benchmarks, as data.
//!
//! To add one, add an entry here, a case to [`Program`] if it lies elsewhere, and its [`Peer`]s; if its reference is not called `floor`, also a
//! line in `xtask/bench/src/layout.rs`. A row is a program that takes the row's name, then `--rounds N` where the row lets one choose, and
//! `--peer NAME=PATH` or `--absent NAME=REASON` for each peer; it prints one line of JSON per subject and case. Or it is a function that gives
//! these lines.
//!
//! ```text
//! {"bench": ROW, "case": "8 tasks", "subject": "ours", "unit": "ns", "values": [one per round], "note": "optional"}
//! ```
//!
//! A peer that is absent is a line without values whose note says why. The program runs its subjects in turns; medians, ratios, tables and plots are
//! made from the lines by the package `xtask-bench`.

use std::path::PathBuf;
use std::process::Stdio;

use super::{Measured, dependencies, provide};
use crate::provision::{self, Package};
use crate::system::{Doing, Failure, cargo};

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// As given to `--only`.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) purpose: &'static str,
    pub(crate) program: Program,
    /// Whether the number of rounds can be chosen; the program then takes `--rounds N`.
    pub(crate) rounds: bool,
    /// What is handed to the program besides what is built into it.
    pub(crate) peers: &'static [Peer],
}

const fn row(name: &'static str, purpose: &'static str, program: Program) -> Row {
    Row { name, purpose, program, rounds: false, peers: &[] }
}

impl Row {
    /// Whose number of rounds can be chosen.
    const fn rounds(self) -> Self {
        Self { rounds: true, ..self }
    }

    /// With these peers.
    const fn peers(self, peers: &'static [Peer]) -> Self {
        Self { peers, ..self }
    }
}

/// What measures a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// A package of this workspace, built for release.
    Member(&'static str),
    /// A package of `xtask/peers`, whose feature `peers` brings the peers in and is left out if they cannot be built.
    Peers(&'static str),
    /// The same, in a network of its own.
    Netns(&'static str),
    /// A function of this program. It gets the number of rounds if one was chosen.
    Own(fn(Option<u32>) -> Result<Measured, Failure>),
}

/// A program or folder that is provisioned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Finds or installs it.
    pub(crate) provide: fn() -> Result<PathBuf, Failure>,
}

const POSTGRES: Peer = Peer { name: "postgres", provide: provide::postgres };
const PYTHON: Peer = Peer { name: "python", provide: provision::python };
const NODE: Peer = Peer { name: "node", provide: provision::node };
const DEADPOOL: Peer = Peer { name: "deadpool", provide: provide::deadpool };
const LAKEBASE: Peer = Peer { name: "lakebase", provide: provide::lakebase };
const PGBOUNCER: Peer = Peer {
    name: "pgbouncer",
    provide: || Package { program: "pgbouncer", apt: "pgbouncer", brew: "pgbouncer" }.provide(),
};
const SOCAT: Peer = Peer {
    name: "socat",
    provide: || Package { program: "socat", apt: "socat", brew: "socat" }.provide(),
};
const STUNNEL: Peer = Peer {
    name: "stunnel",
    provide: || Package { program: "stunnel", apt: "stunnel4", brew: "stunnel" }.provide(),
};

const CACHE: Program = Program::Peers("peers-cache");
const DB: Program = Program::Member("xtask-bench-db");

/// Every row, in the order they run.
pub(crate) const ROWS: &[Row] = &[
    row("read", "reading a fresh credential: time and allocations, 1, 2 and 8 tasks", CACHE),
    row("callers", "100 and 10,000 callers at once, and impatient ones: mints and waiting", CACHE),
    row(
        "endpoints",
        "1 to 1,000 endpoints in one process: memory, wake-ups, spread of mints",
        Program::Member("xtask-bench"),
    ),
    row("first-query", "from nothing to the first row, with an HTTP latency of 0 to 200 ms", DB)
        .rounds()
        .peers(&[POSTGRES, PYTHON, NODE]),
    row("pool", "one-shot queries and checkouts on a warm pool, with a latency of 0 to 5 ms", DB)
        .rounds()
        .peers(&[POSTGRES, DEADPOOL, NODE]),
    row("rotation", "a pool whose token changes every second: errors and slowest queries", DB)
        .rounds()
        .peers(&[POSTGRES]),
    row("wake-up", "logins at a suspended compute: what they are late by, and attempts", DB)
        .rounds()
        .peers(&[POSTGRES]),
    row("proxy", "lakebase proxy, pgbouncer, socat and stunnel before the same server", DB)
        .rounds()
        .peers(&[POSTGRES, LAKEBASE, PGBOUNCER, SOCAT, STUNNEL]),
    row(
        "network",
        "dead addresses and connections that were lost in silence: how long tasks wait",
        Program::Netns("xtask-bench-db"),
    )
    .peers(&[POSTGRES, DEADPOOL, NODE, PYTHON]),
    row(
        "dependencies",
        "crates and processor time of a cold build, beside sqlx alone and two peers",
        Program::Own(dependencies::run),
    )
    .rounds(),
    row(
        "wasm",
        "the npm package: size, first and further mints in workerd, Node, Deno and Bun",
        Program::Own(wasm),
    )
    .rounds(),
];

/// Lines of JSON, and whether every mint took the requests that it should.
fn wasm(runs: Option<u32>) -> Result<Measured, Failure> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "xtask-wasm", "--", "--bench", "--json"]);
    if let Some(runs) = runs {
        command.args(["--runs", &runs.to_string()]);
    }
    let output = command.stderr(Stdio::inherit()).output().doing("run xtask-wasm")?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    if lines.is_empty() {
        return Err(Failure::new(format!("xtask-wasm measured nothing: {}", output.status)));
    }
    Ok((lines, output.status.success()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_file_name() {
        let names: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        for row in ROWS {
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", row.name);
            assert!(!row.purpose.is_empty(), "{}", row.name);
        }
    }
}
