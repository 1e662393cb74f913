//! Recorded counts: an object of toolchains, each an object of counts by their names.

use std::collections::BTreeMap;

/// Instructions by path, and allocations.
pub(super) type Counts = BTreeMap<String, u64>;

/// More than this, up or down, is a deviation.
const TOLERANCE: f64 = 0.05;

/// Counts by the toolchain that they hold for.
pub(super) type Recorded = BTreeMap<String, Counts>;

/// How far `count` is from what was recorded, as a part of it.
fn change(count: u64, recorded: u64) -> f64 {
    (count as f64 - recorded as f64) / (recorded as f64).max(1.0)
}

/// What is wrong with the count of `path`, if it is.
pub(super) fn deviation(path: &str, count: u64, recorded: &Counts) -> Option<String> {
    let Some(before) = recorded.get(path) else { return Some(format!("{path}: not recorded")) };
    let change = change(count, *before);
    (change.abs() > TOLERANCE).then(|| {
        format!(
            "{path}: {count} is {:+.1} % from the recorded {before}, more than ± {:.0} %",
            change * 100.0,
            TOLERANCE * 100.0
        )
    })
}

/// Measured beside recorded counts.
pub(super) fn table(counts: &Counts, recorded: Option<&Counts>) -> String {
    let mut text = format!("{:<24} {:>9} {:>9}\n", "", "measured", "recorded");
    for (path, count) in counts {
        let line = match recorded.and_then(|recorded| recorded.get(path)) {
            Some(before) => {
                let percent = change(*count, *before) * 100.0;
                format!("{path:<24} {count:>9} {before:>9} {percent:>+8.2} %\n")
            }
            None => format!("{path:<24} {count:>9} {:>9}\n", "–"),
        };
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(&str, u64)]) -> Counts {
        list.iter().map(|(path, count)| ((*path).to_owned(), *count)).collect()
    }

    #[test]
    fn five_percent_up_or_down_are_borne() {
        let recorded = counts(&[("read", 1000)]);
        for (count, wrong) in
            [(1000, false), (1050, false), (950, false), (1051, true), (949, true)]
        {
            assert_eq!(deviation("read", count, &recorded).is_some(), wrong, "{count}");
        }
        let text = deviation("read", 1100, &recorded).unwrap();
        assert_eq!(text, "read: 1100 is +10.0 % from the recorded 1000, more than ± 5 %");
        assert_eq!(deviation("write", 1, &recorded).unwrap(), "write: not recorded");
        let none = counts(&[("read-allocations", 0)]);
        assert!(deviation("read-allocations", 0, &none).is_none());
        assert!(deviation("read-allocations", 1, &none).is_some(), "the first one is one too many");
    }

    #[test]
    fn the_table_shows_what_is_not_recorded_too() {
        let measured = counts(&[("acquire", 210), ("read", 50)]);
        let text = table(&measured, Some(&counts(&[("acquire", 200)])));
        assert!(
            text.contains("acquire                        210       200    +5.00 %\n"),
            "{text}"
        );
        assert!(text.contains("read                            50         –\n"), "{text}");
    }
}
