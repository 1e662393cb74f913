//! The cells of the test matrix, as data. To add one, add an entry: nothing else knows their names.
//!
//! Order matters for time, not for results: quick checks first, then builds so that each finds what the one before it built.

/// One row of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    /// As given to `--cell`.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) purpose: &'static str,
    /// What has to be on the machine.
    pub(crate) needs: &'static [Need],
    /// Run in order; a failing step does not stop the ones after it.
    pub(crate) steps: &'static [Step],
}

/// Something a cell needs beyond Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Postgres,
    Wasm,
    Python,
    Node,
    Edge,
    Bundlers,
    Chromium,
    Valgrind,
    Proxies,
    Netns,
    Libpq,
    Windows,
    Musl,
    Migrations,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) run: Run,
    pub(crate) counts: Counts,
    pub(crate) env: &'static [(&'static str, &'static str)],
}

/// What is run; arguments are separated by white space.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    Cargo(&'static str),
    Xtask(&'static str),
}

/// How the checks of a step are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// The command itself is the check.
    One,
    /// By cargo's `test result:` lines.
    Tests,
    /// By the closing line `[word: ]N passed, N failed`; without one, `skipped: REASON` says that there was nothing to check.
    Closing,
}

/// A cargo command that runs tests.
pub(super) const fn tests(args: &'static str) -> Step {
    Step { run: Run::Cargo(args), counts: Counts::Tests, env: &[] }
}

/// A cargo command that passes by exiting with 0.
pub(super) const fn check(args: &'static str) -> Step {
    Step { run: Run::Cargo(args), counts: Counts::One, env: &[] }
}

/// One of xtask's own commands, which end with a count.
pub(super) const fn own(args: &'static str) -> Step {
    Step { run: Run::Xtask(args), counts: Counts::Closing, env: &[] }
}

pub(super) const fn cell(
    name: &'static str,
    purpose: &'static str,
    needs: &'static [Need],
    steps: &'static [Step],
) -> Cell {
    Cell { name, purpose, needs, steps }
}

const DENY_WARNINGS: &[(&str, &str)] = &[("RUSTDOCFLAGS", "-D warnings")];

/// Every cell, in the order they run.
pub(super) fn all() -> impl Iterator<Item = &'static Cell> + Clone {
    CELLS.iter().chain(super::platforms::PLATFORMS)
}

const CELLS: &[Cell] = &[
    // Sources
    cell(
        "fmt",
        "rustfmt agrees with every file",
        &[],
        &[
            check("fmt --all --check"),
            check("fmt --manifest-path fuzz/Cargo.toml --check"),
            check(
                "fmt --manifest-path crates/lakebase-wasm/examples/worker-rust/Cargo.toml --check",
            ),
            check("fmt --manifest-path xtask/peers/db/Cargo.toml --check"),
            check("fmt --all --manifest-path xtask/peers/Cargo.toml --check"),
            check("fmt --all --manifest-path xtask/peers/dependencies/Cargo.toml --check"),
            check("fmt --all --manifest-path tests/drivers/Cargo.toml --check"),
        ],
    ),
    cell("tidy", "what no compiler checks", &[], &[own("tidy")]),
    cell("isolation", "each crate knows only what it should", &[], &[own("isolation")]),
    cell(
        "xtask",
        "the automation itself",
        &[],
        &[tests(
            "test --no-fail-fast -p xtask -p xtask-bench -p xtask-bench-db -p xtask-instructions",
        )],
    ),
    // Crates, from the bottom up
    cell(
        "core",
        "core, workspace and test kit",
        &[],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-core -p lakebase-workspace -p lakebase-testkit",
        )],
    ),
    cell(
        "emulator",
        "the emulator and its Postgres",
        &[Need::Postgres],
        &[tests("test --no-fail-fast --all-targets -p lakebase-emulator")],
    ),
    cell(
        "runtime-tokio",
        "timers, tasks, TCP, DNS, HTTP on tokio",
        &[],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-runtime --no-default-features --features tokio",
        )],
    ),
    cell(
        "runtime-async-std",
        "the same on async-std",
        &[],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-runtime --no-default-features --features async-std",
        )],
    ),
    cell(
        "runtime-smol",
        "the same on smol",
        &[],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-runtime --no-default-features --features smol",
        )],
    ),
    cell(
        "runtime-all",
        "the same with every feature on",
        &[],
        &[tests("test --no-fail-fast --all-targets -p lakebase-runtime --all-features")],
    ),
    cell(
        "sqlx",
        "connections and pools",
        &[Need::Postgres],
        &[tests("test --no-fail-fast --all-targets -p lakebase-sqlx --all-features")],
    ),
    cell(
        "proxy",
        "the proxy: clients, refusals, hostile input",
        &[Need::Postgres],
        &[tests("test --no-fail-fast --all-targets -p lakebase-proxy")],
    ),
    cell(
        "lakebase",
        "the facade",
        &[Need::Postgres],
        &[tests("test --no-fail-fast -p lakebase --all-features")],
    ),
    cell(
        "cli",
        "the command",
        &[Need::Postgres],
        &[tests("test --no-fail-fast --all-targets -p lakebase-cli")],
    ),
    // Runtime x HTTP client, against the emulator
    cell(
        "tokio",
        "every pattern on tokio, hyper",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features tokio",
        )],
    ),
    cell(
        "async-std",
        "every pattern on async-std, hyper",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features async-std",
        )],
    ),
    cell(
        "smol",
        "every pattern on smol, hyper",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features smol",
        )],
    ),
    cell(
        "all",
        "every pattern with three runtimes in one binary",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features tokio,async-std,smol",
        )],
    ),
    cell(
        "proxies",
        "logins through real proxies of HTTP and of SOCKS, with a password and without, on three runtimes and with reqwest",
        &[Need::Postgres, Need::Proxies],
        &[
            tests(
                "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features tokio,async-std,smol,proxies -- tinyproxy:: microsocks::",
            ),
            tests(
                "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features http-reqwest,proxies -- tinyproxy:: microsocks::",
            ),
        ],
    ),
    cell(
        "netns",
        "packets that are lost between network namespaces: links that go down under statements, dead addresses, clients that vanish",
        &[Need::Postgres, Need::Netns],
        // Each test waits for a minute, so all of them wait at once.
        &[tests(
            "test --no-fail-fast --test it -p lakebase-tests --no-default-features --features tokio,async-std,smol,netns --config target.'cfg(unix)'.runner=['sh','../crates/lakebase-testkit/netns/enter'] netns:: -- --test-threads 64",
        )],
    ),
    cell(
        "soak",
        "a thousand token rotations under load, on tokio, of a pool and of a proxy",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features tokio,soak soak::",
        )],
    ),
    cell(
        "tokio-reqwest",
        "every pattern on tokio, reqwest",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features http-reqwest",
        )],
    ),
    cell(
        "tokio-surf",
        "every pattern on tokio, surf",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features tokio,http-surf",
        )],
    ),
    cell(
        "async-std-surf",
        "every pattern on async-std, surf",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features async-std,http-surf",
        )],
    ),
    cell(
        "smol-surf",
        "every pattern on smol, surf",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features smol,http-surf",
        )],
    ),
    cell(
        "all-surf",
        "every pattern with three runtimes in one binary, surf",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-tests --no-default-features --features tokio,async-std,smol,http-surf",
        )],
    ),
    // Other targets and other people's programs
    cell(
        "drivers",
        "drivers without a crate of ours, by their recipes, through two rotations, a wake-up and a refused token; tools for migrations",
        &[Need::Postgres, Need::Libpq, Need::Migrations],
        &[
            check("build --package lakebase-cli --bin lakebase"),
            tests("test --no-fail-fast --workspace --manifest-path tests/drivers/Cargo.toml"),
        ],
    ),
    cell(
        "wasm32",
        "core and workspace for browsers and workers",
        &[Need::Wasm],
        &[
            // Nothing is `Send` in a browser, and the same sources use `Arc` everywhere.
            check("build --target wasm32-unknown-unknown -p lakebase-core -p lakebase-workspace"),
            check(
                "clippy --target wasm32-unknown-unknown -p lakebase-core -p lakebase-workspace -- -D warnings -A clippy::arc_with_non_send_sync",
            ),
        ],
    ),
    cell(
        "wasm",
        "the npm package: sizes, installed in an empty folder, and what publint and attw say of it",
        &[Need::Wasm, Need::Edge, Need::Bundlers],
        &[
            Step { run: Run::Xtask("wasm"), counts: Counts::One, env: &[] },
            tests("test --no-fail-fast -p xtask-wasm -p lakebase-wasm"),
            check(
                "clippy --target wasm32-unknown-unknown -p lakebase-wasm --all-targets --all-features -- -D warnings -A clippy::arc_with_non_send_sync",
            ),
            own("wasm --test package"),
        ],
    ),
    cell(
        "wasm-node",
        "the npm package in Node",
        &[Need::Wasm, Need::Edge],
        &[own("wasm --test node"), own("wasm --test unit")],
    ),
    cell(
        "wasm-bundle",
        "programs with the npm package as one file, made by each bundler, in Node and Bun",
        &[Need::Wasm, Need::Edge, Need::Bundlers],
        &[own("wasm --test bundle")],
    ),
    cell(
        "wasm-workerd",
        "the npm package in workerd, between requests",
        &[Need::Wasm, Need::Edge],
        &[own("wasm --test workerd")],
    ),
    cell(
        "wasm-deno",
        "the npm package in Deno",
        &[Need::Wasm, Need::Edge],
        &[own("wasm --test deno")],
    ),
    cell(
        "wasm-bun",
        "the npm package in Bun",
        &[Need::Wasm, Need::Edge],
        &[own("wasm --test bun")],
    ),
    cell(
        "wasm-chromium",
        "the npm package and the static page in headless Chromium",
        &[Need::Wasm, Need::Edge, Need::Chromium],
        &[own("wasm --test chromium")],
    ),
    cell(
        "wasm-examples",
        "the examples for a worker, Node and Deno against the emulator; requests per mint",
        &[Need::Wasm, Need::Edge, Need::Node, Need::Postgres],
        &[
            own("wasm --test examples"),
            // Its times are for people; that no mint takes a request too many is a check.
            Step { run: Run::Xtask("wasm --bench --runs 1"), counts: Counts::One, env: &[] },
        ],
    ),
    cell(
        "wasm-scenarios",
        "the refresh scenarios on the npm package's cache, in Node and workerd",
        &[Need::Wasm, Need::Edge],
        &[own("wasm --test scenarios")],
    ),
    cell(
        "wasm-rust",
        "the crate in Rust programs: the contracts in Node, a worker with tokio-postgres in workerd",
        &[Need::Wasm, Need::Edge, Need::Postgres],
        &[own("wasm --test rust")],
    ),
    cell(
        "fuzz-replay",
        "the fuzz targets' seeds, on stable",
        &[],
        &[tests("test --no-fail-fast --manifest-path fuzz/Cargo.toml")],
    ),
    cell(
        "outside",
        "programs outside the workspace: one runtime each, and every client through the proxy",
        &[Need::Postgres, Need::Python, Need::Node],
        &[own("outside")],
    ),
    cell(
        "python",
        "databricks-sdk and psycopg against the emulator",
        &[Need::Postgres, Need::Python],
        &[own("clients python")],
    ),
    cell(
        "identity",
        "every identity of Databricks' SDKs, on three runtimes, with the SDK for Python as the judge",
        &[Need::Postgres, Need::Python],
        &[
            tests("test --no-fail-fast -p lakebase-workspace --all-features"),
            tests(
                "test --no-fail-fast -p lakebase-tests --no-default-features --features tokio,async-std,smol -- identities:: secrets:: on_behalf_of::",
            ),
            own("clients identity"),
        ],
    ),
    cell(
        "node",
        "@databricks/lakebase against the emulator",
        &[Need::Postgres, Need::Node],
        &[own("clients node")],
    ),
    cell(
        "proxy-clients",
        "psql, pg_dump, pgbench, psycopg and pg through the proxy, against the emulator",
        &[Need::Postgres, Need::Python, Need::Node],
        &[own("clients proxy")],
    ),
    cell(
        "demo",
        "the demo, in which no query may fail",
        &[Need::Postgres],
        &[Step { run: Run::Xtask("demo --json"), counts: Counts::One, env: &[] }],
    ),
    cell(
        "instructions",
        "instruction counts of a read and of an acquire, beside the recorded ones",
        &[Need::Valgrind],
        &[own("bench --check")],
    ),
    cell(
        "simulate",
        "a fleet over a month, in which no short outage may refuse a login",
        &[],
        &[
            tests("test --no-fail-fast -p lakebase-testkit --features simulate --bin simulate"),
            Step { run: Run::Xtask("simulate --instances 200"), counts: Counts::One, env: &[] },
        ],
    ),
    // Documentation and lints
    cell(
        "doc",
        "examples in the documentation",
        &[Need::Postgres],
        &[tests(
            "test --no-fail-fast --doc -p lakebase-core -p lakebase-workspace -p lakebase-runtime -p lakebase-sqlx -p lakebase-tokio-postgres -p lakebase-proxy -p lakebase -p lakebase-wasm --all-features",
        )],
    ),
    cell(
        "docs",
        "documentation without warnings",
        &[],
        &[Step {
            run: Run::Cargo("doc --no-deps --workspace --all-features --lib"),
            counts: Counts::One,
            env: DENY_WARNINGS,
        }],
    ),
    cell(
        "clippy",
        "lints: everything, then each backend alone",
        &[],
        &[
            check("clippy --workspace --all-targets --all-features -- -D warnings"),
            check("clippy -p lakebase-runtime --no-default-features -- -D warnings"),
            check(
                "clippy -p lakebase-runtime --no-default-features --features tokio -- -D warnings",
            ),
            check(
                "clippy -p lakebase-runtime --no-default-features --features async-std -- -D warnings",
            ),
            check(
                "clippy -p lakebase-runtime --no-default-features --features smol -- -D warnings",
            ),
            check("clippy -p lakebase --no-default-features -- -D warnings"),
            check("clippy -p lakebase --no-default-features --features sqlx,tokio -- -D warnings"),
            check(
                "clippy -p lakebase --no-default-features --features sqlx,async-std -- -D warnings",
            ),
            check("clippy -p lakebase --no-default-features --features sqlx,smol -- -D warnings"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_file_name() {
        let names: BTreeSet<_> = all().map(|cell| cell.name).collect();
        assert_eq!(names.len(), all().count());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name}");
        }
    }

    #[test]
    fn every_cell_has_a_step_and_a_purpose() {
        for cell in all() {
            assert!(!cell.steps.is_empty() && !cell.purpose.is_empty(), "{}", cell.name);
        }
    }

    #[test]
    fn the_matrix_covers_every_runtime_with_every_http_client() {
        for runtime in ["tokio", "async-std", "smol", "all"] {
            for http in ["", "-surf"] {
                let name = format!("{runtime}{http}");
                assert!(all().any(|cell| cell.name == name), "no cell {name}");
            }
        }
        for name in ["fmt", "clippy", "docs", "isolation", "tidy", "fuzz-replay", "wasm32", "xtask"]
        {
            assert!(all().any(|cell| cell.name == name), "no cell {name}");
        }
    }
}
