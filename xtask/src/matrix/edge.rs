//! Cells of the crate for edge functions: its Rust, its package, and the engines that run it.

use super::cells::{Cell, cell, check, own, own_check, tests};
use crate::provision::Tool;

pub(super) const EDGE: &[Cell] = &[
    cell(
        "wasm32",
        "core and workspace for browsers and workers",
        &[Tool::Wasm],
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
        &[Tool::Wasm, Tool::Edge, Tool::Bundlers],
        &[
            own_check("wasm"),
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
        &[Tool::Wasm, Tool::Edge],
        &[own("wasm --test node"), own("wasm --test unit")],
    ),
    cell(
        "wasm-bundle",
        "programs with the npm package as one file, made by each bundler, in Node and Bun",
        &[Tool::Wasm, Tool::Edge, Tool::Bundlers],
        &[own("wasm --test bundle")],
    ),
    cell(
        "wasm-workerd",
        "the npm package in workerd, between requests",
        &[Tool::Wasm, Tool::Edge],
        &[own("wasm --test workerd")],
    ),
    cell(
        "wasm-deno",
        "the npm package in Deno",
        &[Tool::Wasm, Tool::Edge],
        &[own("wasm --test deno")],
    ),
    cell(
        "wasm-bun",
        "the npm package in Bun",
        &[Tool::Wasm, Tool::Edge],
        &[own("wasm --test bun")],
    ),
    cell(
        "wasm-chromium",
        "the npm package and the static page in headless Chromium",
        &[Tool::Wasm, Tool::Edge, Tool::Chromium],
        &[own("wasm --test chromium")],
    ),
    cell(
        "wasm-examples",
        "the examples for a worker, Node and Deno against the emulator; requests per mint",
        &[Tool::Wasm, Tool::Edge, Tool::Node, Tool::Postgres],
        &[
            own("wasm --test examples"),
            // Its times are for people; that no mint takes a request too many is a check.
            own_check("wasm --bench --runs 1"),
        ],
    ),
    cell(
        "wasm-scenarios",
        "the refresh scenarios on the npm package's cache, in Node and workerd",
        &[Tool::Wasm, Tool::Edge],
        &[own("wasm --test scenarios")],
    ),
    cell(
        "wasm-rust",
        "the crate in Rust programs: the contracts in Node, a worker with tokio-postgres in workerd",
        &[Tool::Wasm, Tool::Edge, Tool::Postgres],
        &[own("wasm --test rust")],
    ),
];
