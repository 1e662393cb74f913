//! Automation of the repository: `cargo xtask <command>`.
//!
//! Commands are plain functions that take their arguments and return an outcome; the tables they work from (cells of the test matrix in `cells.toml`,
//! invariants of the dependency graph, rules of tidiness) are data. Nothing here is needed to use the crates.
//!
//! Commands that need more crates than this one should are programs of their own, in the folders beside `src`. What is public here is for them.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people on a terminal and for CI logs"
)]
#![expect(
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "a failure says what could not be done, and the only users are beside this crate"
)]

mod clients;
mod demo;
mod instructions;
mod isolation;
mod matrix;
mod msrv;
mod outside;
pub mod process;
pub mod provision;
pub mod system;
mod tidy;

use std::process::ExitCode;

pub use self::clients::built;
pub use self::isolation::{Graph, sqlx_alone};
use self::process::passed_on;
use self::system::{Doing, Failure, cargo, root};

const HELP: &str = "\
cargo xtask <command>

  demo [--json]                     provision Postgres, then run `lakebase demo`
  test-matrix [--list] [--json] [--cell NAME]...
                                    run every cell, or the named ones; ends with `N passed, N failed`
  ci                                what CI runs: the whole test matrix
  check [--since REVISION]          before a commit: sources, and lints and unit tests of what changed on this
                                    branch and of what depends on it
  isolation                         invariants of the dependency graph and of public signatures
  msrv                              the oldest Rust that the crates name: with it where it is installed, else by clippy
  tidy                              invariants of the sources that no compiler checks
  dist [--twice] [--url URL] [linux | windows | homebrew | scoop]...
                                    archives of the command, the same bytes each time; formula and manifest
  api [--record]                    compare the public API of the published crates with the recorded one
  provision [postgres [--from system|apt|brew|npm|pypi] | wasm | edge | chromium | python | node | valgrind |
             windows | musl | zig]...
                                    fetch what the matrix needs into the target folder
  clients python|identity|node|proxy|windows|musl
                                    unmodified clients, and the command built for other platforms, against the emulator
  outside                           programs outside the workspace, on each runtime
  wasm [--test SUITE...]            the npm package: build it and print its sizes, or test it in
                                    package, node, workerd, deno, bun, chromium, examples, scenarios,
                                    rust or unit
  wasm --bench [--json] [--runs N] [--only RUNTIME]...
                                    first and further mints beside hand-written JavaScript and the official SDK
  simulate [--plot FILE.svg] [--json] [--instances N] [--days N] [--seed N]
                                    a fleet over a month of outages: logins refused by three ways of refreshing
  bench [--only ROW]... [--rounds N] [--list] [--json] [--plot DIR] [--markdown FILE]
                                    ours, peers and floors side by side
  bench --check | --record          instruction counts of hot paths: compare with the recorded ones, or record
  help                              this text
";

/// What a command came to: done and good, or done and found something wrong.
pub type Outcome = Result<bool, Failure>;

/// Does what the command line of the program `name` asks for; a failure goes to standard error.
pub fn main(name: &str, dispatch: impl FnOnce(&[&str]) -> Outcome) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{name}: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Does what `cargo xtask ARGS` asks for.
pub fn dispatch(args: &[&str]) -> Outcome {
    let Some((command, rest)) = args.split_first() else {
        return Err(Failure::usage(format!("which command?\n\n{HELP}")));
    };
    match *command {
        "demo" => demo::command(rest),
        "test-matrix" => matrix::command(rest),
        "check" => matrix::changed::command(rest),
        "ci" if rest.is_empty() => matrix::command(&[]),
        "isolation" if rest.is_empty() => isolation::command(),
        "msrv" if rest.is_empty() => msrv::command(),
        "tidy" if rest.is_empty() => tidy::command(),
        "provision" => provision::command(rest),
        "clients" => clients::command(rest),
        "dist" | "api" => program("xtask-publish", &[], args),
        "wasm" => program("xtask-wasm", &[], rest),
        "simulate" => {
            program("lakebase-testkit", &["--features", "simulate", "--bin", "simulate"], rest)
        }
        "bench" => match rest {
            ["--check"] => instructions::command(false),
            ["--record"] | ["--check", "--record"] => instructions::command(true),
            _ if cfg!(unix) => program("xtask-bench", &["--release"], rest),
            _ => Err(Failure::new("the benchmarks need Unix, but for `--check`")),
        },
        "outside" if rest.is_empty() => outside::command(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(true)
        }
        other => Err(Failure::usage(format!("unknown command or arguments: `{other}`\n\n{HELP}"))),
    }
}

/// Has the program of another package, built with `options`, do `args` in the folder that `cargo xtask` was called in.
fn program(package: &str, options: &[&str], args: &[&str]) -> Outcome {
    let here = std::env::current_dir().doing("find the current folder")?;
    let mut run = cargo();
    run.args(["run", "--quiet", "--package", package]).args(options).arg("--manifest-path");
    passed_on(run.arg(root().join("Cargo.toml")).arg("--").args(args).current_dir(here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_commands_and_stray_arguments_are_usage_errors() {
        for args in [
            &[][..],
            &["frobnicate"],
            &["tidy", "now"],
            &["test-matrix", "--cel"],
            &["clients"],
            &["check", "all"],
            &["demo", "x"],
        ] {
            let failure = dispatch(args).unwrap_err();
            assert_eq!(failure.exit_code(), 2, "{args:?}: {failure}");
        }
    }
}
