//! Cells for the machines that users have and this one is not.
//!
//! What Wine cannot show: Ctrl-C and colours on a console (it has none here), access rights of files, the DNS servers of real adapters, Windows'
//! own certificates, and `lakebase demo`, whose emulator supervises Postgres with Unix's means. What `macos` cannot show: anything that runs,
//! because linking needs Apple's frameworks. The same holds for `linux-targets`, because nothing here runs programs for other processors.

use super::cells::{Cell, cell, check, own, own_check, tests};
use crate::provision::Tool;

/// Two of the linker's minutes are debug information that nobody reads.
const WINDOWS: &[(&str, &str)] =
    &[("RUSTFLAGS", "-D warnings"), ("CARGO_PROFILE_DEV_DEBUG", "none")];
const STATIC: &[(&str, &str)] = &[("CARGO_PROFILE_DEV_DEBUG", "none")];

pub(super) const PLATFORMS: &[Cell] = &[
    cell(
        "windows",
        "the command and unit tests for Windows, in Wine; the command against the emulator",
        &[Tool::Windows, Tool::Postgres, Tool::Python],
        &[
            tests("test --no-fail-fast --target x86_64-pc-windows-gnu --lib --bins -p lakebase-core -p lakebase-workspace -p lakebase-runtime -p lakebase-session -p lakebase-sqlx -p lakebase-proxy -p lakebase -p lakebase-cli --features lakebase-runtime/smol").env(WINDOWS),
            tests("test --no-fail-fast --target x86_64-pc-windows-gnu --test it -p lakebase-runtime -p lakebase-cli --features lakebase-runtime/smol").env(WINDOWS),
            check("build --target x86_64-pc-windows-gnu -p lakebase-cli --features lakebase-runtime/smol").env(WINDOWS),
            own("clients windows"),
        ],
    ),
    cell(
        "dist",
        "the archive for Linux, without optimization: made in two folders, the same bytes",
        &[Tool::Compilers],
        // Two optimized builds for both platforms are a quarter of an hour: `dist --twice`, before a release. What makes bytes differ is not
        // the optimizer but paths, times and orders.
        &[own("dist --dev --twice linux")],
    ),
    cell(
        "musl",
        "the static command in a root that holds nothing but it and certificates; unit tests of the runtimes",
        &[Tool::Musl, Tool::Postgres, Tool::Python],
        &[
            own_check("dist --dev linux"),
            tests("test --no-fail-fast --target x86_64-unknown-linux-musl -p lakebase-runtime --features tokio --lib").env(STATIC),
            own("clients musl"),
        ],
    ),
    cell(
        "macos",
        "lints of every crate and its tests for macOS; nothing is linked, because that needs Apple's frameworks",
        &[Tool::Zig],
        &[check(
            "clippy --keep-going --target aarch64-apple-darwin --workspace --exclude xtask-* --all-targets --all-features -- -D warnings",
        )],
    ),
    cell(
        "linux-targets",
        "lints of the command and of the facade for other processors; nothing is linked",
        &[Tool::Zig],
        // Every feature but `http-surf`, which needs an OpenSSL for each processor.
        &[check(
            "clippy --target aarch64-unknown-linux-gnu --target i686-unknown-linux-gnu -p lakebase-cli -p lakebase --features lakebase/async-std,lakebase/bb8,lakebase/deadpool,lakebase/google-credentials,lakebase/http-reqwest,lakebase/metrics,lakebase/smol,lakebase/sqlx,lakebase/tokio,lakebase/tokio-postgres,lakebase/tracing,lakebase/tunnel -- -D warnings",
        )],
    ),
];
