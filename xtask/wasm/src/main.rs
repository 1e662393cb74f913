//! `cargo xtask wasm`: builds, measures and tests the npm package `lakebase-wasm`.
//!
//! A program of its own, because the library that generates the JavaScript takes a minute to build.

#![expect(clippy::print_stdout, reason = "a command for people and CI logs")]

mod package;
mod run;
mod rust;
mod size;
mod unit;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::Outcome;
use xtask::provision::{self, Tool, Variables};
use xtask::system::{Doing, Failure, root, target_dir};

const USAGE: &str = "wasm takes nothing, `--test` and names of suites, or `--bench` and [--json] [--runs N] [--only RUNTIME]...";

/// Suites that need the other runtimes.
const ELSEWHERE: &[&str] = &["bundle", "workerd", "deno", "bun", "examples", "scenarios", "rust"];
/// Suites that bundle the package or have it judged.
const BUNDLED: &[&str] = &["bundle", "package"];
/// Suites that need the emulator.
const EMULATED: &[&str] = &["examples", "rust"];

fn main() -> ExitCode {
    xtask::main("xtask-wasm", dispatch)
}

fn dispatch(args: &[&str]) -> Outcome {
    match args {
        [] => {
            provide(&[])?;
            package::build()?;
            let fits = size::table()?;
            println!("package: {}", package::pack()?.display());
            Ok(fits)
        }
        ["--test", suites @ ..] if !suites.is_empty() => {
            let variables = provide(suites)?;
            package::build()?;
            run::tests(&variables, suites)
        }
        ["--bench", args @ ..] => {
            let variables = provide(&["--bench"])?;
            package::build()?;
            run::bench(&variables, args)
        }
        // Cargo adds arguments of its own harness, such as `--quiet`.
        [unit::RUNNER, module, ..] => unit::run(Path::new(module)),
        _ => Err(Failure::usage(USAGE)),
    }
}

/// Fetches what `suites` or `--bench` need; variables that tell scripts where it is, and where the package is.
fn provide(suites: &[&str]) -> Result<Variables, Failure> {
    let bench = suites.contains(&"--bench");
    let needed = |those: &[&str]| suites.iter().any(|suite| those.contains(suite));
    let mut variables = Variables::new();
    let mut add = |name: &str, path: PathBuf| {
        variables.push((name.to_owned(), path.display().to_string()));
    };
    add("LAKEBASE_WASM_PACKAGE", package::folder());
    add("LAKEBASE_WASM_TOOLS", provision::edge_folder());
    provision::provide(Tool::Wasm)?;
    if bench || needed(ELSEWHERE) {
        provision::provide(Tool::Edge)?;
    }
    if needed(BUNDLED) {
        add("LAKEBASE_WASM_BUNDLERS", provision::bundlers()?);
    }
    if bench || needed(&["examples"]) {
        add("LAKEBASE_WASM_CLIENTS", provision::node()?);
    }
    if needed(EMULATED) {
        let program = xtask::built("dev", &["--package", "lakebase-emulator"], "lakebase-emulator");
        add("LAKEBASE_EMULATOR_PROGRAM", program?);
        variables.extend(provision::provide(Tool::Postgres)?);
    }
    if needed(&["chromium"]) {
        variables.extend(provision::provide(Tool::Chromium)?);
    }
    Ok(variables)
}

fn crate_dir() -> PathBuf {
    root().join("crates/lakebase-wasm")
}

/// A folder for what is made, below cargo's; nothing is in it.
fn emptied(name: &str) -> Result<PathBuf, Failure> {
    let folder = target_dir().join("wasm").join(name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).doing(format!("empty {}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&folder).doing(format!("create {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_arguments_are_usage_errors() {
        for args in [&["--test"][..], &["node"], &["build"], &["publish"]] {
            assert_eq!(dispatch(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
    }
}
