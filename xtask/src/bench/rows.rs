//! The rows of the benchmarks, as data.
//!
//! To add one, add an entry here, a case to [`Program`] if it lies elsewhere, and its [`Peer`]s; if its reference is not called `floor`, also a
//! line in `xtask/bench/src/layout.rs`. A row is a program that takes the row's name, then `--peer NAME=PATH` or `--absent NAME=REASON` for each
//! peer, and prints one line of JSON per subject and case:
//!
//! ```text
//! {"bench": ROW, "case": "8 tasks", "subject": "ours", "unit": "ns", "values": [one per round], "note": "optional"}
//! ```
//!
//! A peer that is absent is a line without values whose note says why. The program runs its subjects in turns; medians, ratios, tables and plots are
//! made from the lines by the package `xtask-bench`.

use std::path::PathBuf;

use crate::system::Failure;

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// As given to `--only`.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) purpose: &'static str,
    pub(crate) program: Program,
    /// What is handed to the program besides what is built into it.
    pub(crate) peers: &'static [Peer],
}

/// What measures a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// A package of this workspace, built for release.
    #[expect(dead_code, reason = "rows of this workspace come next")]
    Member(&'static str),
    /// A package of `xtask/peers`, whose feature `peers` brings the peers in and is left out if they cannot be built.
    Peers(&'static str),
}

/// A program or folder that is provisioned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Finds or installs it.
    pub(crate) provide: fn() -> Result<PathBuf, Failure>,
}

/// Every row, in the order they run.
pub(crate) const ROWS: &[Row] = &[Row {
    name: "read",
    purpose: "reading a fresh credential: time and allocations, 1, 2 and 8 tasks",
    program: Program::Peers("peers-cache"),
    peers: &[],
}];

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
