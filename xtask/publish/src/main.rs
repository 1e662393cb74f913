//! Makes what is published: archives of the command, and the public API of the crates as text. Called by `cargo xtask dist` and
//! `cargo xtask api`.
//!
//! A program of its own, because its libraries are needed for nothing else.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people and CI logs")]

mod api;
mod archive;
mod build;
mod dist;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

const HELP: &str = "\
dist [--dev] [--twice] [--url URL] [linux | windows | homebrew | scoop]...
                 archives of the command, completions, manual pages and licences, with their SHA-256 sums, into
                 `target/archives`; without a name, linux and windows
  --url URL      the folder of downloads, which the formula of Homebrew and the manifest of Scoop need
  --twice        builds in two folders, and compares the bytes
  --dev          without optimization, for tests
api [--record]   compares the public API of the published crates with the recorded one, or records it
";

/// Where things are.
#[derive(Debug)]
struct Places {
    /// The repository.
    root: PathBuf,
    /// Where cargo builds.
    target: PathBuf,
}

impl Places {
    /// Cargo, in the repository.
    fn cargo(&self) -> Command {
        let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
        cargo.current_dir(&self.root).stdin(Stdio::null());
        cargo
    }

    /// What cargo knows of the workspace's packages.
    fn packages(&self) -> Result<Vec<serde_json::Value>> {
        let text = captured(self.cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
        let mut metadata: serde_json::Value = serde_json::from_str(&text)?;
        Ok(serde_json::from_value(metadata["packages"].take())?)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("xtask-publish: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[&str]) -> Result<bool> {
    let ["--target-dir", target, rest @ ..] = args else { bail!("which command?\n\n{HELP}") };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = root.context("this package is not in the repository")?.to_path_buf();
    let places = Places { root, target: target.into() };
    match rest {
        ["dist", options @ ..] => dist::run(&places, &dist::Options::parse(options)?),
        ["api"] => api::run(&places, false),
        ["api", "--record"] => api::run(&places, true),
        _ => bail!("which command?\n\n{HELP}"),
    }
}

/// What a command printed, if it succeeded.
fn captured(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("could not start {shown}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{shown} ended with {}: {}", output.status, said.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a command with its output shown.
fn succeed(command: &mut Command) -> Result<()> {
    let shown = format!("{:?}", command.get_program());
    let status = command.status().with_context(|| format!("could not start {shown}"))?;
    ensure!(status.success(), "{shown} ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_arguments_are_refused() {
        for args in [
            &[][..],
            &["api"],
            &["--target-dir", "x", "publish"],
            &["--target-dir", "x", "api", "-"],
        ] {
            assert!(dispatch(args).unwrap_err().to_string().contains("which command"), "{args:?}");
        }
    }
}
