//! All results as one object.

use serde_json::{Value, json};

use crate::measurement::{Panel, panels};
use crate::report::{Entry, Report};
use crate::rows::Row;

/// `{"machine": […], "results": [{"bench", "unit", "case", "subject", "median", "values", "to_reference", "to_ours", "note"}]}`.
pub(crate) fn of(machine: &str, measured: &[(&Row, Report)]) -> Value {
    let mut results = Vec::new();
    for (row, report) in measured {
        for panel in panels(row, report) {
            results.extend(panel.entries.iter().map(|entry| one(row.name, &panel, entry)));
        }
    }
    json!({ "machine": machine.lines().collect::<Vec<_>>(), "results": results })
}

fn one(bench: &str, panel: &Panel<'_>, entry: &Entry) -> Value {
    let ratio = |of| panel.ratio(&entry.subject, &entry.case, of);
    json!({
        "bench": bench,
        "unit": panel.unit,
        "case": entry.case,
        "subject": entry.subject,
        "median": entry.median(),
        "values": entry.values,
        "to_reference": ratio(panel.reference()),
        "to_ours": ratio(panel.ours()),
        "note": Some(&entry.note).filter(|note| !note.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::sample::{READ, report};

    #[test]
    fn results_carry_their_ratios() {
        let all = of("2 cores\nLinux", &[(READ, report())]);
        assert_eq!(all["machine"][1], "Linux");
        let ours = &all["results"][3];
        assert_eq!((&ours["median"], &ours["to_reference"]), (&json!(33.0), &json!(1.1)));
        let absent = &all["results"][4];
        assert_eq!(
            (&absent["median"], &absent["note"]),
            (&Value::Null, &json!("not built: offline"))
        );
    }
}
