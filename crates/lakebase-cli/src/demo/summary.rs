//! The closing table.

use serde::Serialize;

use crate::output::Table;

/// The results; the fields are those of `--json` and stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// Queries that ended, well or not.
    pub(crate) queries: u64,
    /// Those that did not end well.
    pub(crate) failed_queries: u64,
    /// The text of the first of them.
    pub(crate) first_failure: Option<String>,
    /// Logins that reached the database.
    pub(crate) logins: u64,
    /// Logins that were refused and made good with a fresh token.
    pub(crate) refused_logins: u64,
    /// Database tokens that the workspace gave out.
    pub(crate) tokens_minted: u64,
    /// Times the pool went over to a newer token.
    pub(crate) rotations: u64,
    /// Requests for a token that the workspace refused during the outage.
    pub(crate) failed_mints: u64,
    /// How long the workspace gave out no token.
    pub(crate) outage_seconds: f64,
    /// Times the endpoint was woken.
    pub(crate) wake_ups: u64,
    /// From the first query after the suspension to its answer.
    pub(crate) wake_up_seconds: f64,
    /// Look-ups that the system's resolver failed and the direct DNS query made good.
    pub(crate) resolver_failures: u64,
    /// Times from asking the pool to the answer, in milliseconds.
    pub(crate) median_query_ms: f64,
    /// The same for all but one in a hundred.
    pub(crate) p99_query_ms: f64,
    /// The slowest, which is one that waited for the wake-up.
    pub(crate) slowest_query_ms: f64,
    /// How long one token lives here, instead of an hour.
    pub(crate) token_lifetime_seconds: u64,
    /// From the first query to the last.
    pub(crate) seconds: f64,
    /// Whether all connections ended before the pool was gone.
    pub(crate) closed_cleanly: bool,
}

impl Summary {
    /// For people.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new([("demo", false), ("", true)]);
        let mut row = |name: &str, value: String| table.row([name, &value]);
        row("queries", self.queries.to_string());
        row("failed queries", self.failed_queries.to_string());
        row("logins", self.logins.to_string());
        row("logins refused, then made good", self.refused_logins.to_string());
        row("tokens minted", self.tokens_minted.to_string());
        row("token rotations", self.rotations.to_string());
        row("outage of the credential API survived", format!("{:.1} s", self.outage_seconds));
        row("token requests that failed in it", self.failed_mints.to_string());
        row("wake-ups", self.wake_ups.to_string());
        row("wake-up until the first answer", format!("{:.1} s", self.wake_up_seconds));
        row("resolver failures survived", self.resolver_failures.to_string());
        row("median query", format!("{:.1} ms", self.median_query_ms));
        row("99 % of queries within", format!("{:.1} ms", self.p99_query_ms));
        row("slowest query", format!("{:.1} ms", self.slowest_query_ms));
        row("length", format!("{:.1} s", self.seconds));
        row("closed cleanly", if self.closed_cleanly { "yes" } else { "no" }.to_owned());
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_queries_are_in_the_table_and_in_json() {
        let summary = Summary { queries: 12, failed_queries: 3, ..Summary::default() };
        let table = summary.table().render();
        let line = table.lines().find(|line| line.starts_with("failed queries")).unwrap();
        assert_eq!(line.split_whitespace().next_back(), Some("3"), "{table}");
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["failed_queries"], 3);
        assert_eq!(json["queries"], 12);
    }
}
