//! Cells of the sources, of each crate, of everything on each runtime, and of other drivers.

use super::cells::{Cell, Step, cell, check, own, tests, waiting_tests};
use crate::provision::Tool;

/// All that runtimes do, with these features.
const fn runtime(features: &'static str) -> Step {
    waiting_tests("test --no-fail-fast --all-targets -p lakebase-runtime").features(features)
}

/// All that crosses crates, with these features.
const fn patterns(features: &'static str) -> Step {
    waiting_tests("test --no-fail-fast --all-targets -p lakebase-tests").features(features)
}

pub(super) const NATIVE: &[Cell] = &[
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
            "test --no-fail-fast -p xtask -p xtask-bench -p xtask-bench-db -p xtask-instructions -p xtask-publish",
        )],
    ),
    // Crates, from the bottom up
    cell(
        "core",
        "core, workspace and test kit",
        &[],
        &[waiting_tests(
            "test --no-fail-fast --all-targets -p lakebase-core -p lakebase-workspace -p lakebase-testkit",
        )],
    ),
    cell(
        "emulator",
        "the emulator and its Postgres",
        &[Tool::Postgres],
        &[waiting_tests("test --no-fail-fast --all-targets -p lakebase-emulator")],
    ),
    cell("runtime-tokio", "timers, tasks, TCP, DNS, HTTP on tokio", &[], &[runtime("tokio")]),
    cell("runtime-async-std", "the same on async-std", &[], &[runtime("async-std")]),
    cell("runtime-smol", "the same on smol", &[], &[runtime("smol")]),
    cell(
        "runtime-all",
        "the same with every feature on",
        &[],
        &[waiting_tests("test --no-fail-fast --all-targets -p lakebase-runtime --all-features")],
    ),
    cell(
        "sqlx",
        "sessions, and the connections and pools of every driver",
        &[Tool::Postgres],
        &[tests(
            "test --no-fail-fast --all-targets -p lakebase-session -p lakebase-sqlx -p lakebase-tokio-postgres --all-features",
        )],
    ),
    cell(
        "proxy",
        "the proxy: clients, refusals, hostile input",
        &[Tool::Postgres],
        &[waiting_tests("test --no-fail-fast --all-targets -p lakebase-proxy")],
    ),
    cell(
        "lakebase",
        "the facade",
        &[Tool::Postgres],
        &[waiting_tests("test --no-fail-fast -p lakebase --all-features")],
    ),
    cell(
        "cli",
        "the command",
        &[Tool::Postgres],
        &[waiting_tests("test --no-fail-fast --all-targets -p lakebase-cli")],
    ),
    // Runtime x HTTP client, against the emulator
    cell("tokio", "every pattern on tokio, hyper", &[Tool::Postgres], &[patterns("tokio")]),
    cell(
        "async-std",
        "every pattern on async-std, hyper",
        &[Tool::Postgres],
        &[patterns("async-std")],
    ),
    cell("smol", "every pattern on smol, hyper", &[Tool::Postgres], &[patterns("smol")]),
    cell(
        "all",
        "every pattern with three runtimes in one binary",
        &[Tool::Postgres],
        &[patterns("tokio,async-std,smol")],
    ),
    cell(
        "proxies",
        "logins through real proxies of HTTP and of SOCKS, with a password and without, on three runtimes and with reqwest",
        &[Tool::Postgres, Tool::Proxies],
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
        &[Tool::Postgres, Tool::Netns],
        // Each test waits for a minute, so all of them wait at once.
        &[tests(
            "test --no-fail-fast --test it -p lakebase-tests --no-default-features --features tokio,async-std,smol,netns --config target.'cfg(unix)'.runner=['sh','../crates/lakebase-testkit/netns/enter'] netns:: -- --test-threads 64",
        )],
    ),
    cell(
        "soak",
        "a thousand token rotations under load, of a pool of each driver on each runtime, and of a proxy",
        &[Tool::Postgres],
        // Each test waits for logins most of the time, so all of them run at once.
        &[tests(
            "test --no-fail-fast --test it -p lakebase-tests --no-default-features --features tokio,async-std,smol,soak soak:: -- --test-threads 64",
        )],
    ),
    cell(
        "tokio-reqwest",
        "every pattern on tokio, reqwest",
        &[Tool::Postgres],
        &[patterns("http-reqwest")],
    ),
    cell(
        "tokio-surf",
        "every pattern on tokio, surf",
        &[Tool::Postgres],
        &[patterns("tokio,http-surf")],
    ),
    cell(
        "async-std-surf",
        "every pattern on async-std, surf",
        &[Tool::Postgres],
        &[patterns("async-std,http-surf")],
    ),
    cell(
        "smol-surf",
        "every pattern on smol, surf",
        &[Tool::Postgres],
        &[patterns("smol,http-surf")],
    ),
    cell(
        "all-surf",
        "every pattern with three runtimes in one binary, surf",
        &[Tool::Postgres],
        &[patterns("tokio,async-std,smol,http-surf")],
    ),
    // Other targets and other people's programs
    cell(
        "drivers",
        "drivers without a crate of ours by their recipes, and those with one, through two rotations, a wake-up and a refused token; tools for migrations; ADBC and connectorx by `lakebase exec`",
        &[Tool::Postgres, Tool::Libpq, Tool::Migrations, Tool::Arrow],
        &[
            check("build --package lakebase-cli --bin lakebase"),
            tests("test --no-fail-fast --workspace --manifest-path tests/drivers/Cargo.toml"),
            check(
                "clippy --workspace --all-targets --manifest-path tests/drivers/Cargo.toml -- -D warnings",
            ),
        ],
    ),
];
