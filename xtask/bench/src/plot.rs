//! One SVG per row: a panel per unit, a group of bars per case, a bar per subject.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::measurement::{Panel, is_ours, panels};
use crate::report::Report;
use crate::rows::Row;
use crate::table::number;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<T> = Result<T, Box<dyn Error>>;

const WIDTH: u32 = 960;
const BAR: u32 = 18;
const LEFT: i32 = 24;
/// Where bars begin, and how long the longest is.
const FOOT: i32 = 330;
const LONGEST: f64 = 500.0;
const GREY: RGBColor = RGBColor(110, 110, 110);

/// Draws a row to the file `path`.
pub(crate) fn draw(row: &Row, report: &Report, path: &Path) -> Drawn<()> {
    let panels = panels(row, report);
    // A line per unit, case and bar, and one between panels.
    let lines: usize = panels.iter().map(|it| 2 + it.cases().len() + it.entries.len()).sum();
    let height = 60 + BAR * u32::try_from(lines)?;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new(row.name, (LEFT, 16), ("sans-serif", 22).into_font()))?;
    let mut y = 50;
    for panel in &panels {
        y = draw_panel(&root, row, panel, y)?;
    }
    root.present()?;
    Ok(())
}

/// Bars of one unit share a scale that begins at 0. Returns where the next panel begins.
fn draw_panel(root: &Area<'_>, row: &Row, panel: &Panel<'_>, mut y: i32) -> Drawn<i32> {
    let step = i32::try_from(BAR)?;
    let small = || ("sans-serif", 13).into_font();
    let medians = panel.entries.iter().filter_map(|entry| entry.median());
    let most = medians.fold(f64::MIN_POSITIVE, f64::max);
    root.draw(&Text::new(panel.unit, (LEFT, y), ("sans-serif", 16).into_font()))?;
    y += step;
    for case in panel.cases() {
        root.draw(&Text::new(case, (LEFT, y), small().color(&GREY)))?;
        y += step;
        for entry in panel.entries.iter().filter(|entry| entry.case == case) {
            root.draw(&Text::new(&*entry.subject, (LEFT + 16, y), small()))?;
            if let Some(median) = entry.median() {
                #[expect(clippy::cast_possible_truncation, reason = "at most the longest bar")]
                let length = (LONGEST * median.max(0.0) / most).round() as i32;
                let bar = [(FOOT, y), (FOOT + length.max(1), y + step - 5)];
                root.draw(&Rectangle::new(bar, color(row, &entry.subject).filled()))?;
                root.draw(&Text::new(number(median), (FOOT + length + 8, y), small()))?;
            } else {
                root.draw(&Text::new("not measured", (FOOT, y), small().color(&GREY)))?;
            }
            y += step;
        }
    }
    Ok(y + step)
}

fn color(row: &Row, subject: &str) -> RGBColor {
    if is_ours(subject) {
        RGBColor(20, 120, 70)
    } else if row.is_reference(subject) {
        RGBColor(150, 150, 150)
    } else {
        RGBColor(200, 130, 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::sample::{READ, report};

    #[test]
    fn every_subject_is_drawn_also_an_absent_one() {
        let path = std::env::temp_dir().join(format!("xtask-bench-{}.svg", std::process::id()));
        draw(READ, &report(), &path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for text in ["ours", "floor", "huskarl", "not measured", "8 tasks", "allocations"] {
            assert_eq!(svg.contains(text), text != "8 tasks", "{text}");
        }
    }
}
