//! The entries of a row by their units, and how its subjects compare.

use crate::report::{Entry, Report};
use crate::rows::Row;

/// What was measured in one unit.
pub(crate) struct Panel<'a> {
    row: &'a Row,
    pub(crate) unit: &'a str,
    pub(crate) entries: Vec<&'a Entry>,
}

/// All that `row` measured, by units in the order in which they first came.
pub(crate) fn panels<'a>(row: &'a Row, report: &'a Report) -> Vec<Panel<'a>> {
    let units = distinct(report.entries.iter().map(|entry| entry.unit.as_str()));
    let entries = |unit| report.entries.iter().filter(move |entry| entry.unit == unit).collect();
    units.into_iter().map(|unit| Panel { row, unit, entries: entries(unit) }).collect()
}

impl<'a> Panel<'a> {
    /// In the order in which they first came.
    pub(crate) fn cases(&self) -> Vec<&'a str> {
        distinct(self.entries.iter().map(|entry| entry.case.as_str()))
    }

    /// In the order in which they first came.
    pub(crate) fn subjects(&self) -> Vec<&'a str> {
        distinct(self.entries.iter().map(|entry| entry.subject.as_str()))
    }

    pub(crate) fn median(&self, subject: &str, case: &str) -> Option<f64> {
        let fits = |entry: &&&Entry| entry.subject == subject && entry.case == case;
        self.entries.iter().find(fits)?.median()
    }

    /// The subject that others are compared with, if it was measured: the floor where there is one.
    pub(crate) fn reference(&self) -> Option<&'a str> {
        self.subjects().into_iter().find(|subject| self.row.is_reference(subject))
    }

    /// Ours, if it was measured.
    pub(crate) fn ours(&self) -> Option<&'a str> {
        self.subjects().into_iter().find(|subject| is_ours(subject))
    }

    /// How many times the value of `of` a value is; nothing where that one is 0 or was not measured.
    pub(crate) fn ratio(&self, subject: &str, case: &str, of: Option<&str>) -> Option<f64> {
        let foot = self.median(of?, case).filter(|foot| *foot != 0.0)?;
        Some(self.median(subject, case)? / foot)
    }
}

/// Whether `subject` is what this repository makes.
pub(crate) fn is_ours(subject: &str) -> bool {
    subject == "ours" || subject.starts_with("ours: ") || subject == "lakebase proxy"
}

impl Entry {
    /// The middle value; of an even number, the mean of the two in the middle.
    pub(crate) fn median(&self) -> Option<f64> {
        let sorted = sorted(&self.values);
        let (low, high) =
            (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
        Some((low + high) / 2.0)
    }
}

fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut list = Vec::new();
    for text in texts {
        if !list.contains(&text) {
            list.push(text);
        }
    }
    list
}

/// The smallest value that at least `share` of all values do not exceed.
pub(crate) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(values);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the product lies between 0 and the number of values"
    )]
    let rank = (sorted.len() as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::rows::ROWS;

    pub(crate) const READ: &Row = &ROWS[0];

    pub(crate) fn report() -> Report {
        let mut report = Report::default();
        report
            .collect(
                r#"
{"bench":"read","case":"1 task","subject":"floor","unit":"ns","values":[60,64,62]}
{"bench":"read","case":"1 task","subject":"ours","unit":"ns","values":[93,31]}
{"bench":"read","case":"2 tasks","subject":"floor","unit":"ns","values":[30]}
{"bench":"read","case":"2 tasks","subject":"ours","unit":"ns","values":[33]}
{"bench":"read","case":"1 task","subject":"huskarl","unit":"ns","values":[],"note":"not built: offline"}
{"bench":"read","case":"1 task","subject":"ours","unit":"allocations","values":[0]}
"#,
            )
            .unwrap();
        report
    }
}

#[cfg(test)]
mod tests {
    use super::sample::{READ, report};
    use super::*;

    #[test]
    fn entries_are_grouped_in_their_order() {
        let report = report();
        let panels = panels(READ, &report);
        let panel = &panels[0];
        assert_eq!((panel.unit, panels.len()), ("ns", 2));
        assert_eq!(panel.cases(), ["1 task", "2 tasks"]);
        assert_eq!(panel.subjects(), ["floor", "ours", "huskarl"]);
        assert_eq!(panel.reference(), Some("floor"));
        assert_eq!(panel.ours(), Some("ours"));
    }

    #[test]
    fn ratios_are_of_medians_and_never_of_nothing() {
        let report = report();
        let [times, counts] = &panels(READ, &report)[..] else { panic!("two units") };
        assert_eq!(times.median("floor", "1 task"), Some(62.0));
        assert_eq!(times.median("ours", "1 task"), Some(62.0));
        assert_eq!(times.ratio("ours", "1 task", Some("floor")), Some(1.0));
        assert_eq!(times.ratio("huskarl", "1 task", Some("floor")), None);
        assert_eq!(times.ratio("ours", "1 task", None), None);
        assert_eq!(counts.ratio("ours", "1 task", Some("ours")), None, "0 of 0");
    }

    #[test]
    fn quantiles_are_values() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), Some(99.0));
        assert_eq!(quantile(&hundred, 1.0), Some(100.0));
        assert_eq!(quantile(&hundred, 0.0), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
