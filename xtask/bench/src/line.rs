//! The lines of a row.

use serde_json::json;

/// Prints what one subject gave in one case, one value per round.
pub(crate) fn print(
    bench: &str,
    case: &str,
    subject: &str,
    unit: &str,
    values: &[f64],
    note: &str,
) {
    let mut line = json!({
        "bench": bench, "case": case, "subject": subject, "unit": unit, "values": values,
    });
    if !note.is_empty() {
        line["note"] = note.into();
    }
    println!("{line}");
}
