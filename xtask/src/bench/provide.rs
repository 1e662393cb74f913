//! Finds, builds or installs what rows are compared with.

use std::path::PathBuf;

use super::{build, build_into};
use crate::provision::{self, Package, Tool};
use crate::system::{Failure, cargo, root, target_dir};

/// The folder of a Postgres server's programs.
pub(super) fn postgres() -> Result<PathBuf, Failure> {
    let found = provision::provide(Tool::Postgres)?;
    let folder = found.into_iter().next().map(|(_, folder)| PathBuf::from(folder));
    folder.ok_or_else(|| Failure::new("no folder of a Postgres server"))
}

/// The Python with the official clients.
pub(super) fn python() -> Result<PathBuf, Failure> {
    provision::python()
}

/// The folder whose `node_modules` holds the official npm driver.
pub(super) fn node() -> Result<PathBuf, Failure> {
    provision::node()
}

/// The script that runs a program in a network of its own.
pub(super) fn netns() -> Result<PathBuf, Failure> {
    provision::netns()
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

pub(super) fn pgbouncer() -> Result<PathBuf, Failure> {
    Package { program: "pgbouncer", apt: "pgbouncer", brew: "pgbouncer" }.provide()
}

pub(super) fn socat() -> Result<PathBuf, Failure> {
    Package { program: "socat", apt: "socat", brew: "socat" }.provide()
}

pub(super) fn stunnel() -> Result<PathBuf, Failure> {
    Package { program: "stunnel", apt: "stunnel4", brew: "stunnel" }.provide()
}
