//! `cargo xtask wasm`: the npm package of `lakebase-wasm`.
//!
//! Done by the program `xtask-wasm`, so that this one builds quickly.

use std::process::{Command, Stdio};

use crate::Outcome;
use crate::clients::built;
use crate::provision::{self, Tool};
use crate::system::{Doing, Failure, cargo, target_dir};

/// Suites that need the other runtimes.
const ELSEWHERE: &[&str] = &["bundle", "workerd", "deno", "bun", "examples", "scenarios", "rust"];
/// Suites that bundle the package or have it judged.
const BUNDLED: &[&str] = &["bundle", "package"];
/// Suites that need the emulator.
const EMULATED: &[&str] = &["examples", "rust"];

/// Builds the package, or tests it.
pub(crate) fn command(args: &[&str]) -> Outcome {
    let what = match args {
        [] => vec!["build"],
        ["--test", suites @ ..] if !suites.is_empty() => [&["test"], suites].concat(),
        ["--bench", rest @ ..] => [&["bench"], rest].concat(),
        _ => {
            let text = "wasm takes nothing, `--test` and names of suites, or `--bench` and [--json] [--runs N] [--only RUNTIME]...";
            return Err(Failure::usage(text));
        }
    };
    let status = prepare(&what)?.status().doing("run xtask-wasm")?;
    Ok(status.success())
}

/// Row `wasm` of the benchmarks: lines of JSON, and whether every mint took the requests that it should.
pub(crate) fn measure(runs: Option<u32>) -> Result<(String, bool), Failure> {
    let mut command = prepare(&["bench", "--json"])?;
    if let Some(runs) = runs {
        command.args(["--runs", &runs.to_string()]);
    }
    let output = command.stderr(Stdio::inherit()).output().doing("run xtask-wasm")?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    if lines.is_empty() {
        return Err(Failure::new(format!("xtask-wasm measured nothing: {}", output.status)));
    }
    Ok((lines, output.status.success()))
}

/// The call of `xtask-wasm`, once all that it needs is there.
fn prepare(what: &[&str]) -> Result<Command, Failure> {
    let bench = what.first() == Some(&"bench");
    provision::provide(Tool::Wasm)?;
    if bench || what.iter().any(|suite| ELSEWHERE.contains(suite)) {
        provision::provide(Tool::Edge)?;
    }
    let mut command = cargo();
    if what.iter().any(|suite| BUNDLED.contains(suite)) {
        command.env("LAKEBASE_WASM_BUNDLERS", provision::bundlers()?);
    }
    if what.contains(&"chromium") {
        command.envs(provision::provide(Tool::Chromium)?);
    }
    if bench || what.contains(&"examples") {
        command.env("LAKEBASE_WASM_CLIENTS", provision::node()?);
    }
    if what.iter().any(|suite| EMULATED.contains(suite)) {
        command.envs(provision::provide(Tool::Postgres)?);
        let program = built(&["--package", "lakebase-emulator"], "lakebase-emulator")?;
        command.env("LAKEBASE_EMULATOR_PROGRAM", program);
    }
    command.args(["run", "--quiet", "--package", "xtask-wasm", "--"]);
    command.arg("--target-dir").arg(target_dir()).arg("--tools").arg(provision::edge_folder());
    command.args(what);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_arguments_are_usage_errors() {
        for args in [&["--test"][..], &["node"]] {
            assert_eq!(command(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
    }
}
