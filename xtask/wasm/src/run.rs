//! Runs the drivers in `crates/lakebase-wasm/tests/js` on Node.

use std::process::Command;

use crate::{Places, Result, package, rust, unit};

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
pub(crate) fn bench(places: &Places, args: &[&str]) -> Result<bool> {
    let mut node = Command::new("node");
    node.arg(places.root.join("xtask/wasm/bench/bench.mjs")).args(args);
    node.env("LAKEBASE_WASM_PACKAGE", places.package()).env("LAKEBASE_WASM_TOOLS", &places.tools);
    let status = node.status().map_err(|error| format!("could not start node: {error}"))?;
    Ok(status.success())
}

/// Runs each suite; false if a test failed. Ends with node's own summary of each.
pub(crate) fn tests(places: &Places, suites: &[&str]) -> Result<bool> {
    let mut good = true;
    let tarball = package::pack(places)?;
    for suite in suites {
        if *suite == "unit" {
            good &= unit::tests(places)?;
            continue;
        }
        if !SUITES.contains(suite) {
            return Err(format!("no suite `{suite}`; there are unit {}", SUITES.join(" ")));
        }
        let file = places.crate_dir().join("tests/js").join(format!("{suite}.test.mjs"));
        let mut node = Command::new("node");
        node.args(["--test", "--test-force-exit", "--test-reporter=tap"]).arg(file);
        node.env("LAKEBASE_WASM_PACKAGE", places.package())
            .env("LAKEBASE_WASM_TOOLS", &places.tools);
        node.env("LAKEBASE_WASM_TARBALL", &tarball);
        match *suite {
            "scenarios" => node.env("LAKEBASE_WASM_SCENARIOS", rust::example(places, "scenarios")?),
            "rust" => node
                .env("LAKEBASE_WASM_CONTRACTS", rust::example(places, "contracts")?)
                .env("LAKEBASE_WASM_WORKER", rust::worker(places)?),
            _ => &mut node,
        };
        let output = node.output().map_err(|error| format!("could not start node: {error}"))?;
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
