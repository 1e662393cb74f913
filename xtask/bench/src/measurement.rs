//! The lines that programs print, by bench, unit, subject and case, in the order in which these first came.

use serde_json::Value;

use crate::layout;

/// All that one row measured.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    pub(crate) name: String,
    /// One per unit.
    pub(crate) panels: Vec<Panel>,
}

/// What was measured in one unit.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) unit: String,
    pub(crate) cases: Vec<String>,
    pub(crate) subjects: Vec<String>,
    entries: Vec<Entry>,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) case: String,
    pub(crate) subject: String,
    /// One per round.
    pub(crate) values: Vec<f64>,
    pub(crate) note: Option<String>,
}

impl Entry {
    /// The middle value; of an even number, the mean of the two in the middle.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let (low, high) =
            (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
        Some((low + high) / 2.0)
    }
}

impl Panel {
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn entry(&self, subject: &str, case: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.subject == subject && entry.case == case)
    }

    pub(crate) fn median(&self, subject: &str, case: &str) -> Option<f64> {
        self.entry(subject, case)?.median()
    }

    /// The subject that others are compared with, if it was measured.
    pub(crate) fn reference(&self, bench: &str) -> Option<&str> {
        self.subjects.iter().map(String::as_str).find(|name| layout::is_reference(bench, name))
    }

    /// Ours, if it was measured.
    pub(crate) fn ours(&self) -> Option<&str> {
        self.subjects.iter().map(String::as_str).find(|name| layout::is_ours(name))
    }

    /// How many times the value of `of` a value is; nothing where that one is 0 or was not measured.
    pub(crate) fn ratio(&self, subject: &str, case: &str, of: Option<&str>) -> Option<f64> {
        let foot = self.median(of?, case).filter(|foot| *foot != 0.0)?;
        Some(self.median(subject, case)? / foot)
    }
}

/// Groups lines of JSON.
pub(crate) fn read(lines: &str) -> Result<Vec<Bench>, String> {
    let mut benches: Vec<Bench> = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let (bench, unit, entry) = parse(line).ok_or(format!("not a measurement: {line}"))?;
        let bench = found(
            &mut benches,
            |it| it.name == bench,
            || Bench { name: bench.clone(), panels: Vec::new() },
        );
        let panel = found(
            &mut bench.panels,
            |it| it.unit == unit,
            || Panel {
                unit: unit.clone(),
                cases: Vec::new(),
                subjects: Vec::new(),
                entries: Vec::new(),
            },
        );
        found(&mut panel.cases, |it| *it == entry.case, || entry.case.clone());
        found(&mut panel.subjects, |it| *it == entry.subject, || entry.subject.clone());
        panel.entries.push(entry);
    }
    Ok(benches)
}

/// The element that fits, added at the end if there is none.
fn found<T>(list: &mut Vec<T>, fits: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut T {
    let place = list.iter().position(fits).unwrap_or_else(|| {
        list.push(new());
        list.len() - 1
    });
    &mut list[place]
}

fn parse(line: &str) -> Option<(String, String, Entry)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| line.get(name)?.as_str().map(str::to_owned);
    let values = line.get("values")?.as_array()?.iter().map(Value::as_f64);
    let entry = Entry {
        case: text("case")?,
        subject: text("subject")?,
        values: values.collect::<Option<_>>()?,
        note: text("note"),
    };
    Some((text("bench")?, text("unit")?, entry))
}

#[cfg(test)]
pub(crate) const SAMPLE: &str = r#"
{"bench":"read","case":"1 task","subject":"floor","unit":"ns","values":[60,64,62]}
{"bench":"read","case":"1 task","subject":"ours","unit":"ns","values":[93,31]}
{"bench":"read","case":"2 tasks","subject":"floor","unit":"ns","values":[30]}
{"bench":"read","case":"2 tasks","subject":"ours","unit":"ns","values":[33]}
{"bench":"read","case":"1 task","subject":"huskarl","unit":"ns","values":[],"note":"not built: offline"}
{"bench":"read","case":"1 task","subject":"ours","unit":"allocations","values":[0]}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_grouped_in_their_order() {
        let benches = read(SAMPLE).unwrap();
        assert_eq!(benches.len(), 1);
        let panel = &benches[0].panels[0];
        assert_eq!((panel.unit.as_str(), benches[0].panels.len()), ("ns", 2));
        assert_eq!(panel.cases, ["1 task", "2 tasks"]);
        assert_eq!(panel.subjects, ["floor", "ours", "huskarl"]);
        assert_eq!(panel.reference("read"), Some("floor"));
        assert_eq!(panel.ours(), Some("ours"));
    }

    #[test]
    fn ratios_are_of_medians_and_never_of_nothing() {
        let benches = read(SAMPLE).unwrap();
        let [times, counts] = &benches[0].panels[..] else { panic!("two units") };
        assert_eq!(times.median("floor", "1 task"), Some(62.0));
        assert_eq!(times.median("ours", "1 task"), Some(62.0));
        assert_eq!(times.ratio("ours", "1 task", Some("floor")), Some(1.0));
        assert_eq!(times.ratio("huskarl", "1 task", Some("floor")), None);
        assert_eq!(times.ratio("ours", "1 task", None), None);
        assert_eq!(counts.ratio("ours", "1 task", Some("ours")), None, "0 of 0");
    }

    #[test]
    fn what_is_no_measurement_is_refused() {
        for wrong in
            ["tea", "{}", r#"{"bench":"a","case":"b","subject":"c","unit":"d","values":["x"]}"#]
        {
            assert!(read(wrong).unwrap_err().contains(wrong));
        }
    }
}
