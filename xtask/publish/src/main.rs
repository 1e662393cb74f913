//! Makes what is published: archives of the command, and the public API of the crates as text. Called by `cargo xtask dist` and
//! `cargo xtask api`.
//!
//! A program of its own, because its libraries are needed for nothing else.

#![expect(clippy::print_stdout, reason = "a command for people and CI logs")]

mod api;
mod archive;
mod build;
mod dist;

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::Value;
use xtask::process::captured;
use xtask::system::{Failure, cargo};

const HELP: &str = "\
dist [--dev] [--twice] [--url URL] [linux | windows | homebrew | scoop]...
                 archives of the command, completions, manual pages and licences, with their SHA-256 sums, into
                 `target/archives`; without a name, linux and windows
  --url URL      the folder of downloads, which the formula of Homebrew and the manifest of Scoop need
  --twice        builds in two folders, and compares the bytes
  --dev          without optimization, for tests
api [--record]   compares the public API of the published crates with the recorded one, or records it
";

fn main() -> ExitCode {
    xtask::main("xtask-publish", |args| {
        dispatch(args).map_err(|problem| Failure::new(format!("{problem:#}")))
    })
}

fn dispatch(args: &[&str]) -> Result<bool> {
    match args {
        ["dist", options @ ..] => dist::run(&dist::Options::parse(options)?),
        ["api"] => api::run(false),
        ["api", "--record"] => api::run(true),
        _ => bail!("which command?\n\n{HELP}"),
    }
}

/// What cargo knows of the workspace's packages.
fn packages() -> Result<Vec<Value>> {
    let text = captured(cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let mut metadata: Value = serde_json::from_str(&text)?;
    Ok(serde_json::from_value(metadata["packages"].take())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_arguments_are_refused() {
        for args in [&[][..], &["publish"], &["api", "-"]] {
            assert!(dispatch(args).unwrap_err().to_string().contains("which command"), "{args:?}");
        }
    }
}
