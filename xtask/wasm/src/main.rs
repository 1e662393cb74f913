//! Builds, measures and tests the npm package `lakebase-wasm`; called by `cargo xtask wasm`.
//!
//! A program of its own, because the library that generates the JavaScript takes a minute to build.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people and CI logs")]

mod package;
mod run;
mod rust;
mod size;
mod unit;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
xtask-wasm --target-dir DIR --tools DIR [build | test SUITE... | bench ARGUMENT...]

  build    the package, its size table and what `npm publish` would upload
  test     builds, then runs test suites: package node bundle workerd deno bun chromium
           examples scenarios rust unit
  bench    builds, then measures mints: [--json] [--runs N] [--only workerd|node|deno|bun]...
";

/// What went wrong, for people.
type Result<T, E = String> = std::result::Result<T, E>;

/// Where things are.
#[derive(Debug)]
struct Places {
    /// The repository.
    root: PathBuf,
    /// Where cargo builds and the package is put together.
    target: PathBuf,
    /// The folder whose `node_modules` holds the other runtimes.
    tools: PathBuf,
}

impl Places {
    /// The package's folder.
    fn package(&self) -> PathBuf {
        self.target.join("wasm/package")
    }

    fn crate_dir(&self) -> PathBuf {
        self.root.join("crates/lakebase-wasm")
    }

    /// cargo, in the repository and with the same target folder.
    fn cargo(&self) -> Command {
        let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("xtask-wasm: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[&str]) -> Result<bool> {
    let ["--target-dir", target, "--tools", tools, rest @ ..] = args else {
        return Err(format!("which command?\n\n{HELP}"));
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = root.ok_or("this package is not in the repository")?.to_path_buf();
    let places = Places { root, target: target.into(), tools: tools.into() };
    match rest {
        ["build"] => {
            package::build(&places)?;
            let fits = size::table(&places)?;
            println!("package: {}", package::pack(&places)?.display());
            Ok(fits)
        }
        ["bench", args @ ..] => {
            package::build(&places)?;
            run::bench(&places, args)
        }
        ["test", suites @ ..] if !suites.is_empty() => {
            package::build(&places)?;
            run::tests(&places, suites)
        }
        // Cargo adds arguments of its own harness, such as `--quiet`.
        [unit::RUNNER, module, ..] => unit::run(&places, Path::new(module)),
        _ => Err(format!("which command?\n\n{HELP}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_arguments_are_refused() {
        for args in [&[][..], &["build"], &["--target-dir", "x", "--tools", "y", "publish"]] {
            assert!(dispatch(args).unwrap_err().contains("which command"), "{args:?}");
        }
    }
}
