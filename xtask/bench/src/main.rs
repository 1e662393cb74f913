//! What `cargo xtask bench` runs to turn measurements into tables, plots and JSON, and the rows that need neither peers nor a Postgres.
//!
//! `xtask-bench render [--json] [--plot DIR] [--markdown FILE]` reads lines from standard input; `cargo xtask bench` describes them.
//! `xtask-bench ROW` prints such lines.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for `cargo xtask bench`")]

mod document;
mod endpoints;
mod json;
mod layout;
mod line;
mod machine;
mod measurement;
mod plot;
mod table;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::measurement::Bench;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["render", rest @ ..] => render(rest),
        ["endpoints"] => {
            endpoints::run();
            Ok(())
        }
        _ => Err("xtask-bench takes `render` or the name of a row".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the results go besides standard output.
#[derive(Debug, Default, PartialEq)]
struct Output {
    json: bool,
    plots: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

fn parse(arguments: &[&str]) -> Result<Output, String> {
    let mut output = Output::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut path =
            || arguments.next().map(PathBuf::from).ok_or(format!("{argument} takes a path"));
        match *argument {
            "--json" => output.json = true,
            "--plot" => output.plots = Some(path()?),
            "--markdown" => output.markdown = Some(path()?),
            other => return Err(format!("render does not take `{other}`")),
        }
    }
    Ok(output)
}

fn render(arguments: &[&str]) -> Result<(), String> {
    let output = parse(arguments)?;
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).map_err(|error| format!("reading: {error}"))?;
    let benches = measurement::read(&input)?;
    let machine = machine::describe();
    if output.json {
        println!("{}", json::of(&machine, &benches));
    } else {
        println!("{machine}");
        for bench in &benches {
            println!("\n## {}\n\n{}", bench.name, table::of(bench));
        }
    }
    if let Some(folder) = &output.plots {
        for path in plot::draw(&benches, folder).map_err(|error| format!("plotting: {error}"))? {
            eprintln!("bench: wrote {}", path.display());
        }
    }
    if let Some(path) = &output.markdown {
        update(path, &machine, &benches)
            .map_err(|error| format!("updating {}: {error}", path.display()))?;
    }
    Ok(())
}

fn update(path: &PathBuf, machine: &str, benches: &[Bench]) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let text = document::replace(&text, machine, benches)?;
    std::fs::write(path, text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_read_or_refused() {
        let output = parse(&["--json", "--plot", "p", "--markdown", "B.md"]).unwrap();
        let (plots, markdown) = (Some("p".into()), Some("B.md".into()));
        assert_eq!(output, Output { json: true, plots, markdown });
        assert!(parse(&["--plot"]).is_err() && parse(&["x"]).is_err());
    }
}
