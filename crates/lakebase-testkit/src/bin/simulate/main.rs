//! `cargo xtask simulate`: a fleet over a month, three ways of refreshing side by side, as a table and a plot.
//!
//! Exits with 1 if the shipped way of refreshing refuses a login because of an outage that fits into its window,
//! or while the service is well, or hands out a dead token; with 2 if the command line is wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people and CI logs")]

mod plot;

use std::path::PathBuf;
use std::process::ExitCode;

use lakebase_testkit::simulation::{Column, Report, Settings, Strategy, simulate};
use serde_json::{Value, json};

const HELP: &str = "\
cargo xtask simulate [--plot FILE.svg] [--json] [--instances N] [--days N] [--seed N]

  --plot FILE.svg   draw the logins refused per day
  --json            print one JSON object instead of the table
  --instances N     default 1000
  --days N          default 30
  --seed N          default 1; the same seed always gives the same month
";

#[derive(Debug, Default)]
struct Options {
    settings: Settings,
    plot: Option<PathBuf>,
    json: bool,
    help: bool,
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} takes a value"));
        let number = |text: String| {
            let number = text.parse::<u32>().ok().filter(|number| *number > 0);
            number.ok_or(format!("{arg} takes a number from 1 on, not `{text}`"))
        };
        match arg.as_str() {
            "--plot" => options.plot = Some(value()?.into()),
            "--json" => options.json = true,
            "--instances" => options.settings.instances = number(value()?)?,
            "--days" => options.settings.days = number(value()?)?,
            "--seed" => options.settings.seed = number(value()?)?.into(),
            "--help" | "-h" => options.help = true,
            other => return Err(format!("there is no `{other}`")),
        }
    }
    Ok(options)
}

/// What the shipped way of refreshing did that it promises not to do.
fn broken(report: &Report) -> Vec<String> {
    let ours = report.columns.iter().filter(|(strategy, _)| *strategy == Strategy::Machine);
    ours.flat_map(|(_, column)| {
        [
            ("refused by short outages", column.refused_by_short_outages),
            ("refused while the service was well", column.refused_without_outage),
            ("with dead tokens", column.dead_tokens),
        ]
    })
    .filter(|(_, count)| *count > 0)
    .map(|(what, count)| format!("{count} logins {what}"))
    .collect()
}

fn column(strategy: Strategy, column: &Column) -> Value {
    json!({
        "strategy": strategy.name(),
        "logins": column.logins,
        "refused": column.refused(),
        "refused_by_short_outages": column.refused_by_short_outages,
        "refused_by_long_outages": column.refused_by_long_outages,
        "refused_after_disturbances": column.refused_after_disturbances,
        "refused_after_disturbances_by_short_outages":
            column.refused_after_disturbances_by_short_outages,
        "refused_after_disturbances_with_living_tokens":
            column.refused_after_disturbances_with_living_tokens,
        "refused_without_outage": column.refused_without_outage,
        "dead_tokens": column.dead_tokens,
        "mints": column.mints,
        "mints_in_worst_minute": column.mints_in_worst_minute,
        "refused_per_day": column.refused_per_day,
    })
}

fn run(options: &Options) -> Result<bool, String> {
    let report = simulate(options.settings);
    if options.json {
        let Settings { instances, days, seed, .. } = report.settings;
        let columns = report.columns.iter().map(|(strategy, it)| column(*strategy, it));
        let columns: Vec<_> = columns.collect();
        let (outages, short) = report.outages;
        println!(
            "{}",
            json!({
                "instances": instances, "days": days, "seed": seed,
                "outages": outages, "short_outages": short, "columns": columns,
            })
        );
    } else {
        print!("{report}");
    }
    if let Some(path) = &options.plot {
        plot::draw(&report, path).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("simulate: wrote {}", path.display());
    }
    let broken = broken(&report);
    for line in &broken {
        eprintln!("simulate: {line}, must be 0");
    }
    Ok(broken.is_empty())
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("simulate: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if options.help {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulate: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_is_read_or_refused() {
        let options = parsed("--days 3 --plot a.svg --json --instances 7 --seed 9").unwrap();
        let Settings { instances, days, seed, .. } = options.settings;
        assert_eq!((instances, days, seed, options.json), (7, 3, 9, true));
        assert_eq!(options.plot, Some("a.svg".into()));
        for wrong in ["--days", "--days 0", "--days x", "--instances -1", "--plots a", "7"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_broken_promise_is_named() {
        let mut report = simulate(Settings { instances: 2, days: 2, ..Settings::default() });
        assert!(broken(&report).is_empty());
        for (strategy, column) in &mut report.columns {
            // Others promise nothing.
            column.dead_tokens = 3;
            column.refused_by_long_outages = 5;
            column.refused_by_short_outages = u64::from(*strategy != Strategy::Machine);
        }
        assert_eq!(broken(&report), ["3 logins with dead tokens"]);
    }
}
