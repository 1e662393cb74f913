//! The program behind `cargo xtask bench`: ours, peers and floors side by side, from the same run.
//!
//! It runs [rows](rows) one after the other, and makes tables, plots and JSON of what they report. Those that need a Postgres start the emulator and, where
//! that would be the bottleneck, a real Postgres of their own; they run their subjects in turns, each in a process of its own. `xtask-bench subject NAME` is
//! such a process: this program again, a script in `clients/`, or a program of the workspace `xtask/peers`. All load goes to loopback.

#![cfg(unix)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people and CI logs")]

mod clock;
mod dependencies;
mod document;
mod first_query;
mod json;
mod link;
mod machine;
mod measurement;
#[cfg(target_os = "linux")]
mod network;
mod peers;
mod plot;
mod pool;
mod postgres;
mod process;
mod programs;
mod proxy;
mod relay;
mod report;
mod rotation;
mod rows;
mod start;
mod subject;
mod table;
mod usage;
mod wake_up;
mod world;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use xtask::Outcome;
use xtask::system::{Doing, Failure};

use crate::peers::Peers;
use crate::report::Report;
use crate::rows::{ROWS, Row};

/// What a row gets.
pub(crate) struct Settings {
    /// How many turns each subject gets.
    pub(crate) rounds: usize,
    pub(crate) peers: Peers,
}

/// What the command line asks for.
#[derive(Default)]
struct Options {
    rows: Vec<&'static Row>,
    list: bool,
    json: bool,
    /// Instead of each row's own number.
    rounds: Option<usize>,
    plots: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

fn main() -> ExitCode {
    xtask::main("xtask-bench", dispatch)
}

fn dispatch(args: &[&str]) -> Outcome {
    let done = match args {
        ["subject", name] => subject::run(name),
        #[cfg(target_os = "linux")]
        [network::INSIDE, peers] => network::inside(peers),
        _ => return bench(&parse(args)?),
    };
    done.map(|()| true).map_err(|error| Failure::new(format!("{error:#}")))
}

fn bench(options: &Options) -> Outcome {
    if options.list {
        for row in &options.rows {
            println!("{:14} {}", row.name, row.purpose);
        }
        return Ok(true);
    }
    let mut measured = Vec::new();
    let mut good = true;
    for row in &options.rows {
        eprintln!("bench: {}", row.name);
        let rounds = options.rounds.or(row.rounds).unwrap_or_default();
        let settings = Settings { rounds, peers: Peers::provide(row.peers) };
        let mut report = Report::default();
        // What was measured before something broke is still worth showing.
        if let Err(error) = (row.measure)(&settings, &mut report) {
            report.note("", "all", "", format!("{error:#}"));
            good = false;
        }
        measured.push((*row, report));
    }
    render(options, &measured)?;
    Ok(good)
}

/// Prints what rows measured, and writes it where the options say.
fn render(options: &Options, measured: &[(&Row, Report)]) -> Result<(), Failure> {
    let machine = machine::describe();
    if options.json {
        println!("{}", json::of(&machine, measured));
    } else {
        println!("{machine}");
        for (row, report) in measured {
            println!("\n## {}\n\n{}", row.name, table::of(row, report));
        }
    }
    if let Some(folder) = &options.plots {
        fs::create_dir_all(folder).doing(format!("create {}", folder.display()))?;
        for (row, report) in measured {
            let path = folder.join(format!("{}.svg", row.name));
            plot::draw(row, report, &path).doing(format!("plot {}", path.display()))?;
            eprintln!("bench: wrote {}", path.display());
        }
    }
    if let Some(path) = &options.markdown {
        let update = || format!("update {}", path.display());
        let text = fs::read_to_string(path).doing(update())?;
        let text = document::replace(&text, &machine, measured).doing(update())?;
        fs::write(path, text).doing(update())?;
    }
    Ok(())
}

fn parse(args: &[&str]) -> Result<Options, Failure> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value =
            || args.next().ok_or_else(|| Failure::usage(format!("{arg} takes a value")));
        match *arg {
            "--only" => {
                let name = value()?;
                let row = ROWS.iter().find(|row| row.name == *name).ok_or_else(|| {
                    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
                    Failure::usage(format!("no row `{name}`; there are {}", names.join(", ")))
                })?;
                options.rows.push(row);
            }
            "--rounds" => {
                let rounds = value()?.parse().ok().filter(|rounds| *rounds > 0);
                options.rounds =
                    Some(rounds.ok_or_else(|| Failure::usage("--rounds takes a number from 1"))?);
            }
            "--list" => options.list = true,
            "--json" => options.json = true,
            "--plot" => options.plots = Some(value()?.into()),
            "--markdown" => options.markdown = Some(value()?.into()),
            "--check" | "--record" => {
                return Err(Failure::usage(format!("{arg} goes with no row and no output")));
            }
            other => return Err(Failure::usage(format!("bench does not take `{other}`"))),
        }
    }
    let chosen = options.rounds.is_some();
    if let Some(row) = options.rows.iter().find(|row| chosen && row.rounds.is_none()) {
        return Err(Failure::usage(format!("`{}` has a number of rounds of its own", row.name)));
    }
    if options.rows.is_empty() {
        options.rows = ROWS.iter().filter(|row| !chosen || row.rounds.is_some()).collect();
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn rows_and_outputs_are_chosen_by_the_command_line() {
        let options =
            parse(&["--only", "read", "--json", "--plot", "p", "--markdown", "B.md"]).unwrap();
        assert_eq!(options.rows.iter().map(|row| row.name).collect::<Vec<_>>(), ["read"]);
        assert_eq!(options.plots.as_deref(), Some(Path::new("p")));
        assert_eq!(options.markdown.as_deref(), Some(Path::new("B.md")));
        assert!(options.json && !options.list);
        assert_eq!(parse(&[]).unwrap().rows.len(), ROWS.len());
        let options = parse(&["--rounds", "2"]).unwrap();
        assert_eq!(options.rounds, Some(2));
        assert!(options.rows.iter().all(|row| row.rounds.is_some()) && !options.rows.is_empty());
    }

    #[test]
    fn a_wrong_command_line_is_a_usage_error() {
        for args in [
            &["--only"][..],
            &["--only", "tea"],
            &["--plot"],
            &["read"],
            &["--rounds"],
            &["--rounds", "0"],
            &["--rounds", "x"],
            &["--only", "read", "--rounds", "2"],
            &["--check", "--json"],
            &["--only", "read", "--record"],
        ] {
            let failure = parse(args).err().expect("a wrong command line");
            assert_eq!(failure.exit_code(), 2, "{args:?}");
        }
    }
}
