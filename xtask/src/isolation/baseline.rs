//! sqlx alone, as `lakebase-sqlx` uses it: a package that depends on nothing else, resolved to our versions.

use std::fs;
use std::path::PathBuf;

use crate::system::{Doing, Failure, root, target_dir};

/// Writes the package for sqlx on `runtime` (as its feature `runtime-…` has it) with rustls on ring, and gives its folder.
pub fn sqlx_alone(runtime: &str) -> Result<PathBuf, Failure> {
    let folder = target_dir().join("isolation").join(format!("sqlx-{runtime}"));
    fs::create_dir_all(folder.join("src")).doing(format!("create {}", folder.display()))?;
    // The lock file decides which version it is.
    let manifest = format!(
        "[package]\nname = \"baseline\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies.sqlx]\nversion = \"*\"\n\
         default-features = false\nfeatures = [\"postgres\", \"runtime-{runtime}\", \"tls-rustls-ring-webpki\"]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).doing("write the baseline manifest")?;
    fs::write(folder.join("src/lib.rs"), "").doing("write the baseline library")?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).doing("copy Cargo.lock")?;
    Ok(folder)
}
