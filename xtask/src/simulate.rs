//! `cargo xtask simulate`: builds and runs the test kit's program of that name, which needs more crates than xtask should.

use crate::Outcome;
use crate::system::{Doing, Failure, cargo};

/// `simulate [--plot FILE.svg] [--json] [--instances N] [--days N] [--seed N]`; ends with the program's exit code.
///
/// Relative paths are taken from the folder that `cargo xtask` was called in.
pub(crate) fn command(args: &[&str]) -> Outcome {
    let here = std::env::current_dir().doing("find the current folder")?;
    let args = args.iter().enumerate().map(|(place, arg)| {
        let is_path = place > 0 && args.get(place - 1) == Some(&"--plot");
        if is_path { here.join(arg).into_os_string() } else { arg.into() }
    });
    let mut program = cargo();
    program
        .args(["run", "--quiet", "--package", "lakebase-testkit", "--features", "simulate"])
        .args(["--bin", "simulate", "--"])
        .args(args);
    let status = program.status().doing("run `cargo run --package lakebase-testkit`")?;
    match status.code() {
        Some(0) => Ok(true),
        Some(code) => std::process::exit(code),
        None => Err(Failure::new(format!("`simulate` ended with {status}"))),
    }
}
