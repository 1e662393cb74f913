//! The lines of a row. All programs that measure make theirs by this file.

use serde_json::json;

/// What one subject gave in one case, one value per round; without values, the note says why.
pub(crate) fn of(
    bench: &str,
    case: &str,
    subject: &str,
    unit: &str,
    values: &[f64],
    note: &str,
) -> String {
    let mut line = json!({
        "bench": bench, "case": case, "subject": subject, "unit": unit, "values": values,
    });
    if !note.is_empty() {
        line["note"] = note.into();
    }
    line.to_string()
}
