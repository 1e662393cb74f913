//! Keeps the tables of `BENCHMARKS.md` between marks, so that a run replaces what it measured and nothing else.

use crate::report::Report;
use crate::rows::Row;
use crate::table;

/// `text` with the tables of `measured`, and what they were measured on, between the marks of each row.
pub(crate) fn replace(
    text: &str,
    machine: &str,
    measured: &[(&Row, Report)],
) -> Result<String, String> {
    let mut text = text.to_owned();
    for (row, report) in measured {
        let (begin, end) = (format!("<!-- {} -->\n", row.name), format!("<!-- /{} -->", row.name));
        let places = text.find(&begin).map(|at| at + begin.len()).zip(text.find(&end));
        let (from, to) = places
            .filter(|(from, to)| from <= to)
            .ok_or(format!("no place between {} and {end}", begin.trim()))?;
        text.replace_range(from..to, &format!("{machine}\n\n{}\n", table::of(row, report)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::sample::{READ, report};

    #[test]
    fn only_the_measured_row_is_replaced() {
        let before =
            "# B\n<!-- read -->\nold\n<!-- /read -->\n<!-- pool -->\nkept\n<!-- /pool -->\n";
        let after = replace(before, "M", &[(READ, report())]).unwrap();
        assert!(after.starts_with("# B\n<!-- read -->\nM\n\n| ns "), "{after}");
        assert!(after.contains("offline\n<!-- /read -->\n<!-- pool -->\nkept\n"), "{after}");
        assert!(!after.contains("old"));
    }

    #[test]
    fn a_document_without_the_place_is_an_error() {
        assert!(replace("# B", "M", &[(READ, report())]).unwrap_err().contains("<!-- read -->"));
    }
}
