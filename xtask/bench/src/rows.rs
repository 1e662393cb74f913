//! The rows of the benchmarks, as data.
//!
//! To add one, add an entry here. A row is a function that runs its subjects in turns and fills a report with what each gave in each case and round;
//! it may leave that to a program that prints the lines of a report. A peer that is absent is a note without values, which says why. Medians, ratios,
//! tables and plots are made from the report.

use anyhow::Result;

use crate::peers::{DEADPOOL, LAKEBASE, NODE, PGBOUNCER, POSTGRES, PYTHON, Peer, SOCAT, STUNNEL};
use crate::report::Report;
use crate::{Settings, dependencies, first_query, pool, programs, proxy, rotation, wake_up};

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// As given to `--only`.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) purpose: &'static str,
    pub(crate) measure: fn(&Settings, &mut Report) -> Result<()>,
    /// How many turns each subject gets, where that can be chosen.
    pub(crate) rounds: Option<usize>,
    /// What it needs besides what is built into its programs.
    pub(crate) peers: &'static [Peer],
    /// The subject that the others are compared with.
    reference: &'static str,
}

impl Row {
    /// Whether `subject` is what the others are compared with.
    pub(crate) fn is_reference(&self, subject: &str) -> bool {
        subject
            .strip_prefix(self.reference)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
    }
}

/// Every row, in the order they run.
pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "read",
        purpose: "reading a fresh credential: time and allocations, 1, 2 and 8 tasks",
        measure: |_, report| programs::caches("read", report),
        rounds: None,
        peers: &[],
        reference: "floor",
    },
    Row {
        name: "callers",
        purpose: "100 and 10,000 callers at once, and impatient ones: mints and waiting",
        measure: |_, report| programs::caches("callers", report),
        rounds: None,
        peers: &[],
        reference: "floor",
    },
    Row {
        name: "endpoints",
        purpose: "1 to 1,000 endpoints in one process: memory, wake-ups, spread of mints",
        measure: |_, report| programs::endpoints(report),
        rounds: None,
        peers: &[],
        reference: "floor",
    },
    Row {
        name: "first-query",
        purpose: "from nothing to the first row, with an HTTP latency of 0 to 200 ms",
        measure: first_query::run,
        rounds: Some(5),
        peers: &[POSTGRES, PYTHON, NODE],
        reference: "floor",
    },
    Row {
        name: "pool",
        purpose: "one-shot queries and checkouts on a warm pool, with a latency of 0 to 5 ms",
        measure: pool::run,
        rounds: Some(5),
        peers: &[POSTGRES, DEADPOOL, NODE],
        reference: "sqlx without ping",
    },
    Row {
        name: "rotation",
        purpose: "a pool whose token changes every second: errors and slowest queries",
        measure: rotation::run,
        rounds: Some(5),
        peers: &[POSTGRES],
        reference: "floor",
    },
    Row {
        name: "wake-up",
        purpose: "logins at a suspended compute: what they are late by, and attempts",
        measure: wake_up::run,
        rounds: Some(5),
        peers: &[POSTGRES],
        reference: "floor",
    },
    Row {
        name: "proxy",
        purpose: "lakebase proxy, pgbouncer, socat and stunnel before the same server",
        measure: proxy::run,
        rounds: Some(5),
        peers: &[POSTGRES, LAKEBASE, PGBOUNCER, SOCAT, STUNNEL],
        reference: "direct",
    },
    #[cfg(target_os = "linux")]
    Row {
        name: "network",
        purpose: "dead addresses and connections that were lost in silence: how long tasks wait",
        measure: crate::network::run,
        rounds: None,
        peers: &[POSTGRES, DEADPOOL, NODE, PYTHON],
        reference: "floor",
    },
    Row {
        name: "dependencies",
        purpose: "crates and processor time of a cold build, beside sqlx alone and two peers",
        measure: dependencies::run,
        // Builds take minutes, and their processor time repeats well.
        rounds: Some(1),
        peers: &[],
        reference: "sqlx alone",
    },
    Row {
        name: "wasm",
        purpose: "the npm package: size, first and further mints in workerd, Node, Deno and Bun",
        measure: programs::wasm,
        rounds: Some(20),
        peers: &[],
        reference: "floor",
    },
];

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

    #[test]
    fn a_reference_may_say_what_it_is() {
        for (subject, expected) in
            [("floor", true), ("floor: sqlx, token in hand", true), ("floors", false)]
        {
            assert_eq!(ROWS[0].is_reference(subject), expected, "{subject}");
        }
    }
}
