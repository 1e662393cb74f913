//! `cargo xtask demo`: a Postgres, then the command's own demo.

use std::process::Command;

use crate::Outcome;
use crate::process::passed_on;
use crate::provision::{self, Tool};
use crate::system::{self, Failure};

/// `demo [--json]`; ends with the exit code of `lakebase demo`.
pub(crate) fn command(args: &[&str]) -> Outcome {
    if let Some(other) = args.iter().find(|arg| **arg != "--json") {
        return Err(Failure::usage(format!("demo knows --json, not `{other}`")));
    }
    let env = provision::provide(Tool::Postgres)?;
    let mut build: Command = system::cargo();
    eprintln!("demo: building the command");
    build
        .args(["run", "--quiet", "--package", "lakebase-cli", "--bin", "lakebase", "--", "demo"])
        .args(args)
        .envs(env);
    passed_on(&mut build)
}
