//! `cargo xtask bench`: ours, peers and floors side by side, from the same run.
//!
//! This builds the programs that measure, finds or installs the peers, and hands the lines that the programs print to the package
//! `xtask-bench`, which makes tables, plots and JSON of them. See [`rows`] for how to add a row.

mod check;
mod dependencies;
#[path = "../bench/src/line.rs"]
mod line;
mod provide;
mod rows;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rows::{Peer, Program, ROWS, Row};

use crate::Outcome;
use crate::process::{captured, describe, shown};
use crate::provision;
use crate::system::{Doing, Failure, cargo, root, target_dir};

/// The lines of a row, and whether it could measure all that it should.
type Measured = (String, bool);

/// What the command line asks for.
#[derive(Debug, Default)]
struct Options {
    rows: Vec<&'static Row>,
    list: bool,
    json: bool,
    /// Instead of each row's own number.
    rounds: Option<u32>,
    /// With absolute paths: `--plot DIR`, `--markdown FILE`.
    output: Vec<(&'static str, PathBuf)>,
}

/// `bench [--only ROW]... [--rounds N] [--list] [--json] [--plot DIR] [--markdown FILE]`, or `bench --check` or `--record`.
///
/// Relative paths are taken from the folder that `cargo xtask` was called in.
pub(crate) fn command(args: &[&str]) -> Outcome {
    match args {
        ["--check"] => return check::command(false),
        ["--record"] | ["--check", "--record"] => return check::command(true),
        _ => {}
    }
    let here = std::env::current_dir().doing("find the current folder")?;
    let options = parse(args, &here)?;
    if options.list {
        for row in &options.rows {
            println!("{:14} {}", row.name, row.purpose);
        }
        return Ok(true);
    }
    let render = build(&mut member("xtask-bench"), "xtask-bench", &target_dir())?;
    let mut lines = String::new();
    let mut good = true;
    for row in &options.rows {
        eprintln!("bench: {}", row.name);
        match run(row, options.rounds) {
            Ok((printed, complete)) => {
                lines.push_str(&printed);
                good &= complete;
            }
            Err(failure) => {
                let why = failure.to_string();
                lines += &(line::of(row.name, "", "all", "", &[], &why) + "\n");
                good = false;
            }
        }
    }
    let mut program = Command::new(render);
    program.arg("render").stdin(Stdio::piped());
    if options.json {
        program.arg("--json");
    }
    for (option, path) in &options.output {
        program.arg(option).arg(path);
    }
    let mut child = program.spawn().doing("start xtask-bench")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(lines.as_bytes()).doing("hand the lines to xtask-bench")?;
    }
    let status = child.wait().doing("wait for xtask-bench")?;
    Ok(good && status.success())
}

fn parse(args: &[&str], here: &Path) -> Result<Options, Failure> {
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
            "--plot" => options.output.push(("--plot", here.join(value()?))),
            "--markdown" => options.output.push(("--markdown", here.join(value()?))),
            "--check" | "--record" => {
                return Err(Failure::usage(format!("{arg} goes with no row and no output")));
            }
            other => return Err(Failure::usage(format!("bench does not take `{other}`"))),
        }
    }
    if let Some(row) = options.rows.iter().find(|row| options.rounds.is_some() && !row.rounds) {
        return Err(Failure::usage(format!("`{}` has a number of rounds of its own", row.name)));
    }
    if options.rows.is_empty() {
        options.rows = ROWS.iter().filter(|row| options.rounds.is_none() || row.rounds).collect();
    }
    Ok(options)
}

/// Runs the program of one row.
fn run(row: &Row, rounds: Option<u32>) -> Result<Measured, Failure> {
    let (program, without) = match row.program {
        Program::Member(package) | Program::Netns(package) => {
            (build(&mut member(package), package, &target_dir())?, None)
        }
        Program::Peers(package) => peers(package)?,
        Program::Own(run) => return run(rounds),
    };
    let mut command = match row.program {
        Program::Netns(_) => {
            let mut enter = Command::new("sh");
            enter.arg(provision::netns()?).arg(program);
            enter
        }
        _ => Command::new(program),
    };
    command.arg(row.name).current_dir(root());
    if let Some(rounds) = rounds {
        command.args(["--rounds", &rounds.to_string()]);
    }
    if let Some(reason) = without {
        command.args(["--absent", &format!("all={reason}")]);
    }
    for Peer { name, provide } in row.peers {
        match provide() {
            Ok(path) => command.arg("--peer").arg(format!("{name}={}", path.display())),
            Err(reason) => {
                eprintln!("bench: {name} is absent: {reason}");
                command.arg("--absent").arg(format!("{name}={reason}"))
            }
        };
    }
    // What was measured before something broke is still worth showing.
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .doing(format!("run `{}`", describe(&command)))?;
    let mut lines = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let note = format!("the program ended with {}", output.status);
        lines += &(line::of(row.name, "", "all", "", &[], &note) + "\n");
    }
    Ok((lines, output.status.success()))
}

/// `cargo build` of a package of this workspace, for release.
fn member(package: &str) -> Command {
    let mut command = cargo();
    command.args(["build", "--quiet", "--release", "--package", package]);
    command
}

/// Builds for release, below the folder `target`, and says where the program is.
fn build(command: &mut Command, program: &str, target: &Path) -> Result<PathBuf, Failure> {
    build_into(&target.join("release"), command, program)
}

/// Builds what cargo puts into `folder`, and says where the program is.
fn build_into(folder: &Path, command: &mut Command, program: &str) -> Result<PathBuf, Failure> {
    eprintln!("bench: building {program}");
    shown(command)?;
    Ok(folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
}

/// Builds a package of `xtask/peers`; the second value is why it was built without the peers.
fn peers(package: &str) -> Result<(PathBuf, Option<String>), Failure> {
    let target = target_dir().join("bench");
    let command = || {
        let mut command = member(package);
        // Not `--locked`: our own crates may have new dependencies, which join what is pinned.
        command.current_dir(root().join("xtask/peers"));
        command.env("CARGO_TARGET_DIR", &target);
        command
    };
    eprintln!("bench: building {package} with its peers");
    match captured(&mut command()) {
        Ok(_) => Ok((build(&mut command(), package, &target)?, None)),
        Err(reason) => {
            eprintln!("bench: the peers are absent: {reason}");
            let program = build(command().arg("--no-default-features"), package, &target)?;
            Ok((program, Some(format!("not built: {reason}"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_outputs_are_chosen_by_the_command_line() {
        let here = Path::new("/here");
        let options = parse(&["--only", "read", "--json", "--plot", "p"], here).unwrap();
        assert_eq!(options.rows.iter().map(|row| row.name).collect::<Vec<_>>(), ["read"]);
        assert_eq!(options.output, [("--plot", PathBuf::from("/here/p"))]);
        assert!(options.json && !options.list);
        assert_eq!(parse(&[], here).unwrap().rows.len(), ROWS.len());
        let options = parse(&["--rounds", "2"], here).unwrap();
        assert_eq!(options.rounds, Some(2));
        assert!(options.rows.iter().all(|row| row.rounds) && !options.rows.is_empty());
    }

    #[test]
    fn a_wrong_command_line_is_a_usage_error() {
        for args in [
            &["--only"][..],
            &["--only", "tea"],
            &["--plot"],
            &["read"],
            &["--rounds", "0"],
            &["--only", "read", "--rounds", "2"],
            &["--check", "--json"],
            &["--only", "read", "--record"],
        ] {
            assert_eq!(parse(args, Path::new("/")).unwrap_err().exit_code(), 2, "{args:?}");
        }
    }
}
