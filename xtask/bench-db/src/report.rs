//! What a row prints: one line of JSON for each subject and case, with the values of all rounds.

use crate::line;

/// The values of one row, collected over its rounds, in the order in which cases and subjects first came.
pub(crate) struct Report {
    bench: &'static str,
    entries: Vec<Entry>,
}

/// What a subject gave in a case, in one unit.
struct Entry {
    case: String,
    subject: String,
    unit: &'static str,
    values: Vec<f64>,
    note: String,
}

impl Report {
    pub(crate) fn new(bench: &'static str) -> Self {
        Self { bench, entries: Vec::new() }
    }

    /// Adds what one round gave.
    pub(crate) fn add(&mut self, case: &str, subject: &str, unit: &'static str, value: f64) {
        self.entry(case, subject, unit).values.push(value);
    }

    /// Says something about a case of a subject, such as why it has no value. The last word counts.
    pub(crate) fn note(
        &mut self,
        case: &str,
        subject: &str,
        unit: &'static str,
        note: impl Into<String>,
    ) {
        self.entry(case, subject, unit).note = note.into();
    }

    fn entry(&mut self, case: &str, subject: &str, unit: &'static str) -> &mut Entry {
        let fits = |it: &Entry| it.case == case && it.subject == subject && it.unit == unit;
        let place = self.entries.iter().position(fits).unwrap_or_else(|| {
            let (case, subject) = (case.to_owned(), subject.to_owned());
            self.entries.push(Entry { case, subject, unit, values: vec![], note: String::new() });
            self.entries.len() - 1
        });
        &mut self.entries[place]
    }

    /// The lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line =
            |it: &Entry| line::of(self.bench, &it.case, &it.subject, it.unit, &it.values, &it.note);
        self.entries.iter().map(line).collect()
    }

    /// Prints the lines to standard output.
    pub(crate) fn print(&self) {
        for line in self.lines() {
            println!("{line}");
        }
    }
}

/// The smallest value that at least `share` of all values do not exceed.
pub(crate) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the product lies between 0 and the number of values"
    )]
    let rank = (sorted.len() as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), Some(99.0));
        assert_eq!(quantile(&hundred, 1.0), Some(100.0));
        assert_eq!(quantile(&hundred, 0.0), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn lines_keep_the_order_and_join_the_rounds() {
        let mut report = Report::new("pool");
        for round in [2.0, 4.0] {
            report.add("query", "ours", "us", round);
            report.add("query", "deadpool", "us", round * 2.0);
        }
        report.note("query", "npm", "us", "no node");
        assert_eq!(
            report.lines(),
            [
                r#"{"bench":"pool","case":"query","subject":"ours","unit":"us","values":[2.0,4.0]}"#,
                r#"{"bench":"pool","case":"query","subject":"deadpool","unit":"us","values":[4.0,8.0]}"#,
                r#"{"bench":"pool","case":"query","note":"no node","subject":"npm","unit":"us","values":[]}"#,
            ]
        );
    }
}
