//! The commands of Rust's tools for migrations, built from crates.io with what Postgres needs and nothing else.

use std::path::PathBuf;

use super::{act, once, tools};
use crate::system::{Failure, cargo};

/// Crate, version, features; pinned.
const TOOLS: [[&str; 3]; 4] = [
    ["sqlx-cli", "0.9.0", "postgres"],
    ["diesel_cli", "2.3.14", "postgres"],
    // Without `codegen` it has no program.
    ["sea-orm-cli", "2.0.4", "codegen,runtime-tokio,sqlx-postgres"],
    ["refinery_cli", "0.10.0", "postgresql"],
];

/// The folder whose `bin` holds them.
pub(super) fn provide() -> Result<PathBuf, Failure> {
    // diesel links it.
    super::LIBPQ.provide()?;
    let folder = tools().join("migrations");
    once(&folder, TOOLS.as_flattened(), || {
        TOOLS.iter().try_for_each(|[name, version, features]| {
            // They run once, so they need not be fast. With the profile of `.ci/run` they share what is built there.
            act(cargo()
                .args(["install", "--quiet", "--locked", "--debug", "--root"])
                .arg(&folder)
                .args([name, "--version", version, "--no-default-features", "--features", features])
                .env("CARGO_PROFILE_DEV_DEBUG", "none"))
        })
    })?;
    Ok(folder)
}
