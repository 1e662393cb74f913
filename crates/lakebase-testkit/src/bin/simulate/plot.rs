//! One panel per way of refreshing: the logins refused on each day, all on the same logarithmic scale.
//!
//! A day without a refused login has no bar.

use std::error::Error;
use std::path::Path;

use lakebase_testkit::simulation::{Column, Report, Settings, Strategy};
use plotters::prelude::*;

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

const SIZE: (u32, u32) = (960, 840);
const GREY: RGBColor = RGBColor(110, 110, 110);

fn color(strategy: Strategy) -> RGBColor {
    match strategy {
        Strategy::Machine => RGBColor(20, 120, 70),
        Strategy::LoopAtFifty => RGBColor(190, 60, 40),
        Strategy::LazyTwoMinutes => RGBColor(200, 130, 20),
    }
}

/// Draws `report` to the SVG file `path`.
pub(super) fn draw(report: &Report, path: &Path) -> Drawn {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let Settings { instances, days, .. } = report.settings;
    let (outages, short) = report.outages;
    let title = format!("Logins refused per day: {instances} instances, {days} days");
    let below = format!("{outages} outages of the service, {short} of them shorter than 9 minutes");
    root.draw(&Text::new(title, (24, 18), ("sans-serif", 24).into_font()))?;
    root.draw(&Text::new(below, (24, 50), ("sans-serif", 15).into_font().color(&GREY)))?;
    let (_, panels) = root.split_vertically(76);
    let days = report.columns.iter().flat_map(|(_, column)| &column.refused_per_day);
    let most = days.copied().max().unwrap_or(0).max(10);
    for (panel, (strategy, column)) in
        panels.split_evenly((report.columns.len(), 1)).iter().zip(&report.columns)
    {
        draw_panel(panel, *strategy, column, most)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(panel: &Area<'_>, strategy: Strategy, column: &Column, most: u64) -> Drawn {
    let color = color(strategy);
    let caption = format!(
        "{}: {} of {} logins refused, {} of them in outages below 9 minutes",
        strategy.name(),
        column.refused(),
        column.logins,
        column.refused_by_short_outages
    );
    let days = column.refused_per_day.len() as f64;
    // Half a login is the foot of the scale, so that one login is a bar.
    let range = (0.5..most as f64 * 1.5).log_scale().base(10.0);
    let mut chart = ChartBuilder::on(panel)
        .caption(caption, ("sans-serif", 17).into_font().color(&color))
        .margin(10)
        .margin_right(24)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(0.5..days + 0.5, range)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_desc("day")
        .y_desc("refused")
        .x_labels(16)
        .y_labels(5)
        .x_label_formatter(&|day| format!("{day:.0}"))
        .y_label_formatter(&|count| format!("{count:.0}"))
        .draw()?;
    let bars = column.refused_per_day.iter().enumerate().filter(|(_, count)| **count > 0);
    chart.draw_series(bars.map(|(index, count)| {
        let day = index as f64 + 1.0;
        Rectangle::new([(day - 0.4, 0.5), (day + 0.4, *count as f64)], color.filled())
    }))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use lakebase_testkit::simulation::simulate;

    use super::*;

    #[test]
    fn every_way_of_refreshing_has_its_panel() {
        let report = simulate(Settings { instances: 3, days: 4, ..Settings::default() });
        let folder = std::env::temp_dir();
        let path = folder.join(format!("lakebase-simulate-{}.svg", std::process::id()));
        draw(&report, &path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("3 instances, 4 days"));
        for strategy in Strategy::ALL {
            assert!(svg.contains(&format!("{}: ", strategy.name())), "{}", strategy.name());
        }
    }
}
