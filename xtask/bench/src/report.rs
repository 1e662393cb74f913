//! What a row measures. All programs that measure collect it by this file, and hand it on as lines of JSON.

use serde::{Deserialize, Serialize};

/// The values of one row, collected over its rounds, in the order in which cases and subjects first came.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) entries: Vec<Entry>,
}

/// What a subject gave in a case, in one unit.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Entry {
    pub(crate) case: String,
    pub(crate) subject: String,
    pub(crate) unit: String,
    /// One per round.
    pub(crate) values: Vec<f64>,
    #[serde(default)]
    pub(crate) note: String,
}

impl Report {
    /// Adds what one round gave.
    pub(crate) fn add(&mut self, case: &str, subject: &str, unit: &str, value: f64) {
        self.entry(case, subject, unit).values.push(value);
    }

    /// Says something about a case of a subject, such as why it has no value. The last word counts.
    pub(crate) fn note(&mut self, case: &str, subject: &str, unit: &str, note: impl Into<String>) {
        self.entry(case, subject, unit).note = note.into();
    }

    fn entry(&mut self, case: &str, subject: &str, unit: &str) -> &mut Entry {
        let fits = |it: &Entry| it.case == case && it.subject == subject && it.unit == unit;
        let place = self.entries.iter().position(fits).unwrap_or_else(|| {
            let [case, subject, unit] = [case, subject, unit].map(str::to_owned);
            self.entries.push(Entry { case, subject, unit, values: vec![], note: String::new() });
            self.entries.len() - 1
        });
        &mut self.entries[place]
    }

    /// A line of JSON for each entry.
    pub(crate) fn lines(&self) -> serde_json::Result<String> {
        self.entries.iter().map(|entry| Ok(serde_json::to_string(entry)? + "\n")).collect()
    }
}
