//! sqlx alone, as `lakebase-sqlx` uses it: a package that depends on nothing else, resolved to our versions.

use std::fs;
use std::path::PathBuf;

use crate::system::{Doing, Failure, root, target_dir};

/// Writes the package for sqlx on `runtime` (as its feature `runtime-…` has it) with rustls on ring, and gives its folder.
pub(crate) fn sqlx_alone(runtime: &str) -> Result<PathBuf, Failure> {
    let folder = target_dir().join("isolation").join(format!("sqlx-{runtime}"));
    fs::create_dir_all(folder.join("src")).doing(format!("create {}", folder.display()))?;
    let manifest = format!(
        "[package]\nname = \"baseline\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies.sqlx]\nversion = \"{}\"\n\
         default-features = false\nfeatures = [\"postgres\", \"runtime-{runtime}\", \"tls-rustls-ring-webpki\"]\n",
        sqlx_version()?
    );
    fs::write(folder.join("Cargo.toml"), manifest).doing("write the baseline manifest")?;
    fs::write(folder.join("src/lib.rs"), "").doing("write the baseline library")?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).doing("copy Cargo.lock")?;
    Ok(folder)
}

/// The version in the root manifest, so that both graphs use the same one.
fn sqlx_version() -> Result<String, Failure> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).doing("read Cargo.toml")?;
    version_of(&manifest, "sqlx")
        .ok_or_else(|| Failure::new("[workspace.dependencies] names no version of sqlx"))
}

fn version_of(manifest: &str, package: &str) -> Option<String> {
    let line = manifest
        .lines()
        .find(|line| line.split_once('=').is_some_and(|(key, _)| key.trim() == package))?;
    let (_, rest) = line.split_once("version")?;
    rest.split('"').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_a_dependency_table() {
        let manifest = "sqlx-core = { version = \"1\" }\nsqlx = { version = \"0.9.0\", default-features = false }\n";
        assert_eq!(version_of(manifest, "sqlx").as_deref(), Some("0.9.0"));
        assert_eq!(version_of(manifest, "tokio"), None);
    }
}
