//! One SVG per row: a panel per unit, a group of bars per case, a bar per subject.

use std::error::Error;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::layout;
use crate::measurement::{Bench, Panel};
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

/// Draws each row to `<folder>/<row>.svg`; says what was written.
pub(crate) fn draw(benches: &[Bench], folder: &Path) -> Drawn<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let mut written = Vec::new();
    for bench in benches {
        let path = folder.join(format!("{}.svg", bench.name));
        chart(bench, &path)?;
        written.push(path);
    }
    Ok(written)
}

fn chart(bench: &Bench, path: &Path) -> Drawn<()> {
    let lines: usize = bench.panels.iter().map(|panel| 2 + lines(panel)).sum();
    let height = 60 + BAR * u32::try_from(lines)?;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new(bench.name.clone(), (LEFT, 16), ("sans-serif", 22).into_font()))?;
    let mut y = 50;
    for panel in &bench.panels {
        y = draw_panel(&root, &bench.name, panel, y)?;
    }
    root.present()?;
    Ok(())
}

/// A line per bar and one per case.
fn lines(panel: &Panel) -> usize {
    panel.cases.len() + panel.entries().count()
}

/// Bars of one unit share a scale that begins at 0. Returns where the next panel begins.
fn draw_panel(root: &Area<'_>, bench: &str, panel: &Panel, mut y: i32) -> Drawn<i32> {
    let step = i32::try_from(BAR)?;
    let small = || ("sans-serif", 13).into_font();
    let most = panel.entries().filter_map(|entry| entry.median()).fold(f64::MIN_POSITIVE, f64::max);
    root.draw(&Text::new(panel.unit.clone(), (LEFT, y), ("sans-serif", 16).into_font()))?;
    y += step;
    for case in &panel.cases {
        root.draw(&Text::new(case.clone(), (LEFT, y), small().color(&GREY)))?;
        y += step;
        for entry in panel.entries().filter(|entry| entry.case == *case) {
            root.draw(&Text::new(entry.subject.clone(), (LEFT + 16, y), small()))?;
            let Some(median) = entry.median() else {
                root.draw(&Text::new("not measured", (FOOT, y), small().color(&GREY)))?;
                y += step;
                continue;
            };
            #[expect(clippy::cast_possible_truncation, reason = "at most the longest bar")]
            let length = (LONGEST * median.max(0.0) / most).round() as i32;
            let color = color(bench, &entry.subject);
            let bar = [(FOOT, y), (FOOT + length.max(1), y + step - 5)];
            root.draw(&Rectangle::new(bar, color.filled()))?;
            root.draw(&Text::new(number(median), (FOOT + length + 8, y), small()))?;
            y += step;
        }
    }
    Ok(y + step)
}

fn color(bench: &str, subject: &str) -> RGBColor {
    if layout::is_ours(subject) {
        RGBColor(20, 120, 70)
    } else if layout::is_reference(bench, subject) {
        RGBColor(150, 150, 150)
    } else {
        RGBColor(200, 130, 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::{SAMPLE, read};

    #[test]
    fn every_subject_is_drawn_also_an_absent_one() {
        let folder = std::env::temp_dir().join(format!("xtask-bench-plot-{}", std::process::id()));
        let paths = draw(&read(SAMPLE).unwrap(), &folder).unwrap();
        assert_eq!(paths, [folder.join("read.svg")]);
        let svg = std::fs::read_to_string(&paths[0]).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for text in ["ours", "floor", "huskarl", "not measured", "8 tasks", "allocations"] {
            assert_eq!(svg.contains(text), text != "8 tasks", "{text}");
        }
    }
}
