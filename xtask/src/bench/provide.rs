//! Finds, builds or installs what rows are compared with.

use std::path::PathBuf;

use super::{build, build_into};
use crate::provision::{self, Tool};
use crate::system::{Failure, cargo, root, target_dir};

/// The folder of a Postgres server's programs.
pub(super) fn postgres() -> Result<PathBuf, Failure> {
    let found = provision::provide(Tool::Postgres)?;
    let folder = found.into_iter().next().map(|(_, folder)| PathBuf::from(folder));
    folder.ok_or_else(|| Failure::new("no folder of a Postgres server"))
}

/// deadpool-postgres as a subject; its lock file is its own, since it needs none of the other peers.
pub(super) fn deadpool() -> Result<PathBuf, Failure> {
    let target = target_dir().join("bench");
    let mut command = cargo();
    command
        .args(["build", "--quiet", "--release", "--locked"])
        .current_dir(root().join("xtask/peers/db"))
        .env("CARGO_TARGET_DIR", &target);
    build(&mut command, "peers-db", &target)
}

/// The command `lakebase`, for its proxy, optimized as the one that is packed.
pub(super) fn lakebase() -> Result<PathBuf, Failure> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--profile", "dist", "--package", "lakebase-cli"]);
    build_into(&target_dir().join("dist"), &mut command, "lakebase")
}
