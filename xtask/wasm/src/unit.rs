//! Tests that need a JavaScript engine: those of `wasm-bindgen-test`, in Node.
//!
//! Cargo compiles them and calls this program back with the module, as it would call `wasm-bindgen-test-runner`. That one
//! would need 160 crates; the library that is here anyway does the same with a few lines of JavaScript.

use std::fs;
use std::path::Path;
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;
use xtask::Outcome;
use xtask::system::{Doing, Failure, cargo};

use crate::package::TARGET;
use crate::{crate_dir, emptied};

/// How exports begin that are tests, as wasm-bindgen-test's macro names them.
const TEST: &str = "__wbgt_";

/// The name of the command with which cargo calls back.
pub(crate) const RUNNER: &str = "run-module";

/// Compiles and runs the tests of the library; prints cargo's summary, then ours. False if one failed.
pub(crate) fn tests() -> Outcome {
    let program = std::env::current_exe().doing("find the running program")?;
    let mut cargo = cargo();
    cargo.env(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
        format!("{} {RUNNER}", program.display()),
    );
    cargo.args(["test", "--quiet", "--target", TARGET, "--package", "lakebase-wasm", "--lib"]);
    cargo.args(["--no-default-features", "--features", "mint,cache"]);
    let output = cargo.output().doing("start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}{}", String::from_utf8_lossy(&output.stderr));
    let (passed, failed) = summary(&text).unwrap_or_default();
    let good = output.status.success() && passed > 0 && failed == 0;
    println!("unit: {passed} passed, {} failed", if good { 0 } else { failed.max(1) });
    Ok(good)
}

/// Passed and failed tests, by the line `test result: ok. 5 passed; 0 failed; …`; an ignored one counts as failed.
fn summary(text: &str) -> Option<(usize, usize)> {
    let counts = text.lines().find_map(|line| line.trim().strip_prefix("test result: "))?;
    let count = |what: &str| {
        counts
            .split([';', '.'])
            .find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
    };
    Some((count(" passed")?, count(" failed")? + count(" ignored")?))
}

/// Generates the glue of a compiled module and runs all its tests; true if all passed.
pub(crate) fn run(module: &Path) -> Outcome {
    let folder = emptied("unit")?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("unit").typescript(false);
    bindgen.export_wasm(true).emit_start(false);
    let output = bindgen.nodejs_module(true).and_then(|bindgen| bindgen.generate_output());
    let failed = |what, error| Failure::new(format!("could not {what}: {error:#}"));
    let mut output = output.map_err(|error| failed("generate glue for the tests", error))?;
    let exports = output.wasm_mut().exports.iter().map(|export| export.name.clone());
    let mut tests: Vec<String> = exports.filter(|name| name.starts_with(TEST)).collect();
    tests.sort();
    output.emit(&folder).map_err(|error| failed("write the glue", error))?;
    let package = folder.join("package.json");
    fs::write(&package, "{ \"type\": \"module\" }\n")
        .doing(format!("write {}", package.display()))?;
    let mut node = Command::new("node");
    node.arg(crate_dir().join("tests/js/unit.mjs")).arg(folder.join("unit.js"));
    Ok(node.args(tests).status().doing("start node")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_read_and_ignored_tests_are_failures() {
        let line = "noise\ntest result: ok. 12 passed; 0 failed; 0 ignored; 0 filtered out\n";
        assert_eq!(summary(line), Some((12, 0)));
        let line = "test result: FAILED. 1 passed; 2 failed; 3 ignored; 0 filtered out";
        assert_eq!(summary(line), Some((1, 5)));
        assert_eq!(summary("error: it did not compile"), None);
    }
}
