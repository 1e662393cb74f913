//! Tables in Markdown, aligned so that they can also be read on a terminal.

use std::fmt::Write as _;

use crate::measurement::{Panel, panels};
use crate::report::Report;
use crate::rows::Row;

/// So many cases stand side by side.
const CASES: usize = 4;

/// All tables of a row, and its notes.
pub(crate) fn of(row: &Row, report: &Report) -> String {
    let mut text = String::new();
    let panels = panels(row, report);
    for panel in &panels {
        for cases in panel.cases().chunks(CASES) {
            let mut entries = panel.entries.iter();
            if entries.any(|it| cases.contains(&&*it.case) && !it.values.is_empty()) {
                text.push_str(&aligned(&rows(panel, cases)));
                text.push('\n');
            }
        }
    }
    text.push_str(&notes(report));
    text.trim_end().to_owned()
}

/// Head first; for each case its median, then its ratios.
fn rows(panel: &Panel<'_>, cases: &[&str]) -> Vec<Vec<String>> {
    let (reference, subjects) = (panel.reference(), panel.subjects());
    let ours = panel.ours().filter(|_| subjects.len() > 1);
    let bases =
        || [reference.map(|it| (it, "ref")), ours.map(|it| (it, "ours"))].into_iter().flatten();
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let mut head = vec![panel.unit.to_owned()];
    for case in cases {
        head.push(if case.is_empty() { "value" } else { case }.to_owned());
        head.extend(bases().map(|(_, name)| format!("÷ {name}")));
    }
    let mut rows = vec![head];
    for subject in subjects {
        let mark = if reference == Some(subject) { " (ref)" } else { "" };
        let mut row = vec![format!("{subject}{mark}")];
        for case in cases {
            row.push(or_none(panel.median(subject, case).map(number)));
            row.extend(bases().map(|(of, _)| {
                or_none(panel.ratio(subject, case, Some(of)).map(|it| format!("{it:.2}")))
            }));
        }
        rows.push(row);
    }
    rows
}

/// Each note once, with the subjects and cases that it is about.
fn notes(report: &Report) -> String {
    let mut notes: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for entry in report.entries.iter().filter(|entry| !entry.note.is_empty()) {
        let (subject, note, case) = (&*entry.subject, &*entry.note, &*entry.case);
        match notes.iter_mut().find(|it| (it.0, it.1) == (subject, note)) {
            Some((_, _, cases)) if !cases.contains(&case) => cases.push(case),
            Some(_) => {}
            None => notes.push((subject, note, vec![case])),
        }
    }
    let mut text = String::new();
    for (subject, note, cases) in notes {
        let everywhere = report.entries.iter().all(|entry| cases.contains(&&*entry.case));
        let place = if everywhere { String::new() } else { format!(" ({})", cases.join("; ")) };
        let note: Vec<&str> = note.split_whitespace().collect();
        let _ = writeln!(text, "- {subject}{place}: {}", note.join(" "));
    }
    text
}

/// Three digits, or all before the point.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 || size >= 100.0 {
        grouped(value)
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// Without fraction, with a space before every three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column == 0 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let end = if column == 0 { '-' } else { ':' };
                let _ = write!(text, "|-{:-<width$}{end}", "");
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::sample::{READ, report};

    #[test]
    fn a_table_shows_medians_ratios_and_who_is_absent() {
        let text = of(READ, &report());
        let expected = "\
| ns          | 1 task | ÷ ref | ÷ ours | 2 tasks | ÷ ref | ÷ ours |
|-------------|-------:|------:|-------:|--------:|------:|-------:|
| floor (ref) |     62 |  1.00 |   1.00 |      30 |  1.00 |   0.91 |
| ours        |     62 |  1.00 |   1.00 |      33 |  1.10 |   1.00 |
| huskarl     |      – |     – |      – |       – |     – |      – |

| allocations | 1 task |
|-------------|-------:|
| ours        |      0 |

- huskarl (1 task): not built: offline";
        assert_eq!(text, expected);
    }

    #[test]
    fn numbers_have_three_digits_or_all() {
        let texts: Vec<_> = [0.0, 0.1234, 1.5, 25.26, 123.4, 1_234_567.0, -1000.0]
            .map(number)
            .into_iter()
            .collect();
        assert_eq!(
            texts,
            ["0", "0.123", "1.50", "25.3", "123", "1\u{202f}234\u{202f}567", "-1\u{202f}000"]
        );
    }

    #[test]
    fn a_note_on_every_case_names_none() {
        let mut report = Report::default();
        for case in ["x", "y"] {
            report.note(case, "peer", "ns", "no\n  net");
        }
        assert_eq!(of(READ, &report), "- peer: no net");
    }
}
