//! Keeps the tables of `BENCHMARKS.md` between marks, so that a run replaces what it measured and nothing else.

use crate::measurement::Bench;
use crate::table;

/// `text` with the tables of `benches`, and what they were measured on, between the marks of each bench.
pub(crate) fn replace(text: &str, machine: &str, benches: &[Bench]) -> Result<String, String> {
    let mut text = text.to_owned();
    for bench in benches {
        let (begin, end) =
            (format!("<!-- {} -->\n", bench.name), format!("<!-- /{} -->", bench.name));
        let places = text.find(&begin).map(|at| at + begin.len()).zip(text.find(&end));
        let (from, to) = places
            .filter(|(from, to)| from <= to)
            .ok_or(format!("no place between {} and {end}", begin.trim()))?;
        text.replace_range(from..to, &format!("{machine}\n\n{}\n", table::of(bench)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::{SAMPLE, read};

    #[test]
    fn only_the_measured_row_is_replaced() {
        let before =
            "# B\n<!-- read -->\nold\n<!-- /read -->\n<!-- pool -->\nkept\n<!-- /pool -->\n";
        let after = replace(before, "M", &read(SAMPLE).unwrap()).unwrap();
        assert!(after.starts_with("# B\n<!-- read -->\nM\n\n| ns "), "{after}");
        assert!(after.contains("offline\n<!-- /read -->\n<!-- pool -->\nkept\n"), "{after}");
        assert!(!after.contains("old"));
    }

    #[test]
    fn a_document_without_the_place_is_an_error() {
        assert!(replace("# B", "M", &read(SAMPLE).unwrap()).unwrap_err().contains("<!-- read -->"));
    }
}
