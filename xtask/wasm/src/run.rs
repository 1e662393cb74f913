//! Runs the drivers in `crates/lakebase-wasm/tests/js` on Node.

use std::process::Command;

use xtask::Outcome;
use xtask::provision::Variables;
use xtask::system::{Doing, Failure, root};

use crate::{crate_dir, package, rust, unit};

/// Suites, as files `tests/js/<suite>.test.mjs`.
const SUITES: [&str; 10] = [
    "package",
    "node",
    "bundle",
    "workerd",
    "deno",
    "bun",
    "chromium",
    "examples",
    "scenarios",
    "rust",
];

/// Prints times beside those of others, with `args` for `bench/bench.mjs`; false if a mint took more requests than it should.
pub(crate) fn bench(variables: &Variables, args: &[&str]) -> Outcome {
    let mut node = Command::new("node");
    node.arg(root().join("xtask/wasm/bench/bench.mjs")).args(args).envs(variables.iter().cloned());
    Ok(node.status().doing("start node")?.success())
}

/// Runs each suite; false if a test failed. Ends with node's own summary of each.
pub(crate) fn tests(variables: &Variables, suites: &[&str]) -> Outcome {
    let mut good = true;
    let tarball = package::pack()?;
    for suite in suites {
        if *suite == "unit" {
            good &= unit::tests()?;
            continue;
        }
        if !SUITES.contains(suite) {
            let known = SUITES.join(" ");
            return Err(Failure::new(format!("no suite `{suite}`; there are unit {known}")));
        }
        let file = crate_dir().join("tests/js").join(format!("{suite}.test.mjs"));
        let mut node = Command::new("node");
        node.args(["--test", "--test-force-exit", "--test-reporter=tap"]).arg(file);
        node.envs(variables.iter().cloned()).env("LAKEBASE_WASM_TARBALL", &tarball);
        match *suite {
            "scenarios" => node.env("LAKEBASE_WASM_SCENARIOS", rust::example("scenarios")?),
            "rust" => node
                .env("LAKEBASE_WASM_CONTRACTS", rust::example("contracts")?)
                .env("LAKEBASE_WASM_WORKER", rust::worker()?),
            _ => &mut node,
        };
        let output = node.output().doing("start node")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let count = |what: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(what));
            line.and_then(|line| line.trim().parse::<usize>().ok())
        };
        print!("{text}{}", String::from_utf8_lossy(&output.stderr));
        match (count("# pass"), count("# fail"), count("# skipped"), count("# cancelled")) {
            (Some(passed @ 1..), Some(0), Some(0), Some(0)) if output.status.success() => {
                println!("{suite}: {passed} passed, 0 failed");
            }
            (passed, failed, _, cancelled) => {
                good = false;
                let failed = failed.unwrap_or(0) + cancelled.unwrap_or(0);
                println!("{suite}: {} passed, {} failed", passed.unwrap_or(0), failed.max(1));
            }
        }
    }
    Ok(good)
}
