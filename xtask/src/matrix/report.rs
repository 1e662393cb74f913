//! The result of a matrix run: a table for people, JSON for programs, one closing line for both.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::count::Tally;

/// What became of one cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) tally: Tally,
    pub(crate) elapsed: Duration,
    /// Why the cell was not run, where that is allowed.
    pub(crate) skipped: Option<String>,
    /// How it was checked, where there is more than one way.
    pub(crate) remark: Option<String>,
    /// What went wrong beyond failed tests.
    pub(crate) note: Option<String>,
}

impl Row {
    /// Passed or was skipped; a cell that checked nothing has not passed.
    pub(crate) fn ok(&self) -> bool {
        self.skipped.is_some() || (self.tally.failed == 0 && self.tally.passed > 0)
    }
}

/// All cells that were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn ok(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(Row::ok)
    }

    fn totals(&self) -> (Tally, usize) {
        let mut total = Tally::default();
        for row in &self.rows {
            total.add(row.tally);
        }
        (total, self.rows.iter().filter(|row| row.skipped.is_some()).count())
    }

    /// The table, a line of explanation per cell that needs one, and `N passed, N failed` alone on the last line.
    pub(crate) fn table(&self) -> String {
        let width =
            self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max("total".len());
        let mut text = format!(
            "{:<width$}  {:>6}  {:>6}  {:>6}  {:>8}\n",
            "cell", "tests", "passed", "failed", "seconds"
        );
        for row in &self.rows {
            let mark = if row.skipped.is_some() {
                "  SKIPPED"
            } else if row.ok() {
                ""
            } else {
                "  FAILED"
            };
            let (tests, Tally { passed, failed, .. }) = (row.tally.total(), row.tally);
            let seconds = row.elapsed.as_secs_f64();
            let _ = writeln!(
                text,
                "{:<width$}  {tests:>6}  {passed:>6}  {failed:>6}  {seconds:>8.1}{mark}",
                row.name
            );
        }
        let (Tally { passed, failed, .. }, _) = self.totals();
        let seconds = self.rows.iter().map(|row| row.elapsed.as_secs_f64()).sum::<f64>();
        let _ = writeln!(
            text,
            "{:<width$}  {:>6}  {passed:>6}  {failed:>6}  {seconds:>8.1}\n",
            "total",
            passed + failed
        );
        for row in &self.rows {
            if let Some(reason) = &row.skipped {
                let _ = writeln!(text, "SKIPPED {}: {reason}", row.name);
            }
            if let Some(remark) = &row.remark {
                let _ = writeln!(text, "REMARK {}: {remark}", row.name);
            }
            if let Some(note) = &row.note {
                let _ = writeln!(text, "FAILED {}: {note}", row.name);
            }
        }
        text.push_str(&self.closing());
        text
    }

    fn closing(&self) -> String {
        let (total, skipped) = self.totals();
        let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
        format!("{} passed, {} failed{skipped}\n", total.passed, total.failed)
    }

    pub(crate) fn json(&self) -> Value {
        let (total, skipped) = self.totals();
        let cells: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "cell": row.name,
                    "ok": row.ok(),
                    "tests": row.tally.total(),
                    "passed": row.tally.passed,
                    "failed": row.tally.failed,
                    "seconds": row.elapsed.as_secs_f64(),
                    "skipped": row.skipped,
                    "remark": row.remark,
                    "note": row.note,
                })
            })
            .collect();
        json!({ "cells": cells, "passed": total.passed, "failed": total.failed, "skipped": skipped, "ok": self.ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, passed: u64, failed: u64) -> Row {
        let name = name.to_owned();
        let tally = Tally { passed, failed, ignored: 0 };
        let elapsed = Duration::from_millis(1500);
        Row { name, tally, elapsed, ..Row::default() }
    }

    #[test]
    fn the_last_line_is_the_count() {
        let report = Report { rows: vec![row("core", 12, 0), row("smol", 3, 1)] };
        let table = report.table();
        assert_eq!(table.lines().last(), Some("15 passed, 1 failed"));
        assert!(table.contains("core       12      12       0       1.5\n"), "{table}");
        assert!(table.contains("FAILED") && !report.ok());
        assert_eq!(report.json()["passed"], 15);
        assert_eq!(report.json()["cells"][1]["failed"], 1);
    }

    #[test]
    fn a_cell_that_checked_nothing_has_failed() {
        assert!(!Report { rows: vec![row("core", 0, 0)] }.ok());
        assert!(!Report::default().ok());
        assert!(Report { rows: vec![row("core", 1, 0)] }.ok());
    }

    #[test]
    fn skips_are_counted_and_explained() {
        let skipped = Row { skipped: Some("no npm".to_owned()), ..row("node", 0, 0) };
        let report = Report { rows: vec![row("core", 2, 0), skipped] };
        assert!(report.ok());
        let table = report.table();
        assert_eq!(table.lines().last(), Some("2 passed, 0 failed, 1 skipped"));
        assert!(table.contains("SKIPPED node: no npm"), "{table}");
    }

    #[test]
    fn remarks_are_shown_and_change_no_result() {
        let remark = Some("by the other compiler".to_owned());
        let report = Report { rows: vec![Row { remark, ..row("msrv", 2, 0) }] };
        assert!(report.ok());
        assert!(
            report.table().contains("REMARK msrv: by the other compiler"),
            "{}",
            report.table()
        );
        assert_eq!(report.json()["cells"][0]["remark"], "by the other compiler");
    }
}
