//! The rows of `cargo xtask bench` that need a Postgres: `bench-db ROW [--rounds N] [--peer NAME=PATH]... [--absent NAME=REASON]...`.
//!
//! A row starts the emulator and, where that would be the bottleneck, a real Postgres of its own; runs its subjects in turns, each in a process of
//! its own; and prints a line of JSON for each subject and case, with the values of all rounds. `bench-db subject NAME` is such a process: this
//! program again, a script in `clients/`, or a program of the workspace `xtask/peers`. All load goes to loopback.
//!
//! The caller finds and installs peers; one that is not named is reported as absent, with the reason if one was given.

#![cfg(unix)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for `cargo xtask bench`")]

mod clock;
mod first_query;
#[path = "../../bench/src/line.rs"]
mod line;
mod link;
#[cfg(target_os = "linux")]
mod network;
mod peers;
mod pool;
mod postgres;
mod process;
mod proxy;
mod relay;
mod report;
mod rotation;
mod start;
mod subject;
mod wake_up;
mod world;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::peers::Peers;
use crate::report::Report;

/// What a row gets from the command line.
pub(crate) struct Settings {
    /// How many turns each subject gets.
    pub(crate) rounds: usize,
    pub(crate) peers: Peers,
}

/// A row: fills the report.
type Row = fn(&Settings, &mut Report) -> Result<()>;

const ROWS: &[(&str, Row)] = &[
    ("first-query", first_query::run),
    ("pool", pool::run),
    ("rotation", rotation::run),
    ("wake-up", wake_up::run),
    ("proxy", proxy::run),
    #[cfg(target_os = "linux")]
    ("network", network::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["subject", name] => subject::run(name),
        [row, rest @ ..] => measure(row, rest),
        [] => Err(anyhow::anyhow!("which row?")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-db: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(row: &str, arguments: &[&str]) -> Result<()> {
    let Some((name, run)) = ROWS.iter().find(|(name, _)| *name == row) else {
        let names: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
        bail!("there is no row `{row}`; there are {}", names.join(", "));
    };
    let settings = parse(arguments)?;
    let mut report = Report::new(name);
    // What was measured before something broke is still worth printing.
    let done = run(&settings, &mut report);
    report.print();
    done
}

fn parse(arguments: &[&str]) -> Result<Settings> {
    let mut settings = Settings { rounds: 5, peers: Peers::default() };
    let mut arguments = arguments.iter();
    while let Some(option) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{option} needs a value"))?;
        match *option {
            "--rounds" => settings.rounds = value.parse().context("--rounds takes a number")?,
            "--peer" => settings.peers.set(value)?,
            "--absent" => settings.peers.set_absent(value)?,
            _ => bail!("unknown option `{option}`"),
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_checked() {
        let settings =
            parse(&["--rounds", "2", "--peer", "node=/n", "--absent", "python=no pip"]).unwrap();
        assert_eq!(settings.rounds, 2);
        assert_eq!(settings.peers.get("node").unwrap(), std::path::Path::new("/n"));
        assert_eq!(settings.peers.get("python").unwrap_err(), "no pip");
        assert_eq!(settings.peers.get("socat").unwrap_err(), "not provisioned");
        for wrong in
            [&["--rounds"][..], &["--rounds", "x"], &["--peer", "node"], &["--pear", "x=y"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(measure("tea", &[]).is_err());
    }
}
