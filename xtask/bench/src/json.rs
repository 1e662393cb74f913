//! All results as one object.

use serde_json::{Value, json};

use crate::measurement::{Bench, Entry, Panel};

/// `{"machine": […], "results": [{"bench", "unit", "case", "subject", "median", "values", "to_reference", "to_ours", "note"}]}`.
pub(crate) fn of(machine: &str, benches: &[Bench]) -> Value {
    let results: Vec<Value> = benches
        .iter()
        .flat_map(|bench| bench.panels.iter().map(move |panel| (bench, panel)))
        .flat_map(|(bench, panel)| panel.entries().map(move |entry| one(bench, panel, entry)))
        .collect();
    json!({ "machine": machine.lines().collect::<Vec<_>>(), "results": results })
}

fn one(bench: &Bench, panel: &Panel, entry: &Entry) -> Value {
    let ratio = |of| panel.ratio(&entry.subject, &entry.case, of);
    json!({
        "bench": bench.name,
        "unit": panel.unit,
        "case": entry.case,
        "subject": entry.subject,
        "median": entry.median(),
        "values": entry.values,
        "to_reference": ratio(panel.reference(&bench.name)),
        "to_ours": ratio(panel.ours()),
        "note": entry.note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::{SAMPLE, read};

    #[test]
    fn results_carry_their_ratios() {
        let all = of("2 cores\nLinux", &read(SAMPLE).unwrap());
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
