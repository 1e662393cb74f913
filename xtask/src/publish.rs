//! `cargo xtask dist` and `cargo xtask api`: what is published.
//!
//! Done by the program `xtask-publish`, so that this one builds quickly.

use crate::Outcome;
use crate::provision::{self, Tool};
use crate::system::{Doing, cargo, target_dir};

/// `args` are those of `xtask-publish`.
pub(crate) fn command(args: &[&str]) -> Outcome {
    let mut command = cargo();
    if args.first() == Some(&"dist") {
        command.envs(provision::provide(Tool::Compilers)?);
    }
    command.args(["run", "--quiet", "--package", "xtask-publish", "--", "--target-dir"]);
    let status = command.arg(target_dir()).args(args).status().doing("run xtask-publish")?;
    Ok(status.success())
}
