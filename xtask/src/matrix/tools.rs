//! Cells of clients, of programs around the crates, of documentation and of lints.

use super::cells::{Cell, cell, check, own, own_check, tests};
use crate::provision::Tool;

const DENY_WARNINGS: &[(&str, &str)] = &[("RUSTDOCFLAGS", "-D warnings")];

pub(super) const TOOLS: &[Cell] = &[
    cell(
        "package",
        "what is published: every package with its files, and none that needs itself; two are built from these files",
        &[],
        // What is left out is never published. Each crate is built in its folder by other cells; from packed files, all of them would compile most
        // dependencies again, with other features. Nothing is uploaded.
        &[
            check(
                "package --workspace --exclude lakebase-test* --exclude xtask* --no-verify --allow-dirty --quiet",
            ),
            check("package -p lakebase-core -p lakebase-workspace --allow-dirty --quiet"),
        ],
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
        &[Tool::Postgres, Tool::Python, Tool::Node],
        &[own("outside")],
    ),
    cell(
        "python",
        "databricks-sdk and psycopg against the emulator",
        &[Tool::Postgres, Tool::Python],
        &[own("clients python")],
    ),
    cell(
        "identity",
        "every identity of Databricks' SDKs, on three runtimes, with the SDK for Python as the judge",
        &[Tool::Postgres, Tool::Python],
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
        &[Tool::Postgres, Tool::Node],
        &[own("clients node")],
    ),
    cell(
        "proxy-clients",
        "psql, pg_dump, pgbench, psycopg and pg through the proxy, against the emulator",
        &[Tool::Postgres, Tool::Python, Tool::Node],
        &[own("clients proxy")],
    ),
    cell(
        "demo",
        "the demo, in which no query may fail",
        &[Tool::Postgres],
        &[own_check("demo --json")],
    ),
    cell(
        "instructions",
        "instruction counts of a read and of an acquire, beside the recorded ones",
        &[Tool::Valgrind],
        &[own("bench --check")],
    ),
    cell(
        "simulate",
        "a fleet over a month, in which no short outage may refuse a login",
        &[],
        &[
            tests("test --no-fail-fast -p lakebase-testkit --features simulate --bin simulate"),
            own_check("simulate --instances 200"),
        ],
    ),
    // Documentation and lints
    cell(
        "doc",
        "examples in the documentation",
        &[Tool::Postgres],
        &[tests(
            "test --no-fail-fast --doc -p lakebase-core -p lakebase-workspace -p lakebase-runtime -p lakebase-session -p lakebase-sqlx -p lakebase-tokio-postgres -p lakebase-proxy -p lakebase-emulator -p lakebase -p lakebase-wasm --all-features",
        )],
    ),
    cell(
        "docs",
        "documentation without warnings",
        &[],
        &[check("doc --no-deps --workspace --all-features --lib").env(DENY_WARNINGS)],
    ),
    // After `docs`, whose dependencies it finds compiled.
    cell(
        "api",
        "the public API of every published crate, beside the recorded one",
        &[],
        &[own("api")],
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
    cell(
        "msrv",
        "the oldest Rust that the crates name: by that Rust where it is installed, else by clippy",
        &[],
        &[own("msrv")],
    ),
];
