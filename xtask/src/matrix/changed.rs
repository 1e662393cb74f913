//! `cargo xtask check`: what a contributor wants to know before a commit, in minutes.
//!
//! Formatting, tidiness and isolation of everything; lints and unit tests of the packages that changed and of those that depend on them. What needs
//! a Postgres, a browser or another platform is left to the matrix.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::cells::{Cell, Counts, Step};
use super::machine::Real;
use super::{run, select};
use crate::Outcome;
use crate::process::captured;
use crate::system::{Doing, Failure, cargo, root};

/// Cells that look at everything and compile nothing.
const QUICK: &[&str] = &["fmt", "tidy", "isolation"];
/// Where a branch may have started, best first.
const BASES: &[&str] = &["origin/main", "main"];
/// Files and folders that every package depends on.
const SHARED: &[&str] = &["Cargo.toml", "Cargo.lock", ".clippy.toml", ".cargo/"];

/// `check [--since REVISION]`
pub(crate) fn command(args: &[&str]) -> Outcome {
    let since = match args {
        [] => base()?,
        ["--since", revision] => (*revision).to_owned(),
        other => {
            return Err(Failure::usage(format!("check knows --since REVISION, not {other:?}")));
        }
    };
    let packages = packages()?;
    let touched = with_dependants(&packages, &files(&since)?);
    println!("changed since {since}, or depends on it: {}", names(&touched));
    let mut cells = select(QUICK)?;
    cells.extend(of(&touched));
    let report = run(&cells, true, &mut Real::new(false)?);
    print!("\n{}", report.table());
    println!("left out: all that `cargo xtask test-matrix` has besides");
    Ok(report.ok())
}

/// A member of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Package {
    name: String,
    /// From the root, with a `/` at its end.
    folder: String,
    /// Names of all its dependencies, those for tests among them.
    needs: Vec<String>,
    /// What may hold unit tests: cargo's `--lib`, `--bins` or both.
    holds: Vec<&'static str>,
}

/// Lints and unit tests of `touched`; no cell if nothing was.
fn of(touched: &[&Package]) -> Vec<Cell> {
    if touched.is_empty() {
        return Vec::new();
    }
    let chosen: String = touched.iter().map(|package| format!(" -p {}", package.name)).collect();
    let cell = |name: &str, purpose: &str, run: String| Cell {
        name: name.to_owned(),
        purpose: purpose.to_owned(),
        needs: Vec::new(),
        threads: None,
        // Tests are not counted: a package may have none.
        steps: vec![Step { run, counts: Counts::One, env: BTreeMap::new() }],
    };
    let lints = format!("cargo clippy{chosen} --all-targets --all-features -- -D warnings");
    let mut cells = vec![cell("clippy", "lints of what changed", lints)];
    let tested: Vec<_> = touched.iter().filter(|package| !package.holds.is_empty()).collect();
    if !tested.is_empty() {
        let chosen: String = tested.iter().map(|package| format!(" -p {}", package.name)).collect();
        let holds: BTreeSet<&str> =
            tested.iter().flat_map(|package| package.holds.clone()).collect();
        let holds: String = holds.into_iter().map(|option| format!(" {option}")).collect();
        let unit = format!("cargo test --no-fail-fast{chosen} --all-features{holds}");
        cells.push(cell("unit", "unit tests of what changed", unit));
    }
    cells
}

/// The packages of `files`, and those that depend on them.
fn with_dependants<'a>(packages: &'a [Package], files: &[String]) -> Vec<&'a Package> {
    let everything =
        files.iter().any(|file| SHARED.iter().any(|shared| matches_path(file, shared)));
    // The root's own folder is nobody's, and the longest folder owns a file: `xtask/bench/` is not `xtask`'s.
    let owner = |file: &String| {
        let owners = packages.iter().filter(|package| file.starts_with(&package.folder));
        owners.max_by_key(|package| package.folder.len()).map(|package| package.name.as_str())
    };
    let mut found: BTreeSet<&str> = files.iter().filter_map(owner).collect();
    loop {
        let before = found.len();
        for package in packages {
            if everything || package.needs.iter().any(|need| found.contains(need.as_str())) {
                found.insert(&package.name);
            }
        }
        if found.len() == before {
            break;
        }
    }
    packages.iter().filter(|package| found.contains(package.name.as_str())).collect()
}

fn matches_path(file: &str, shared: &str) -> bool {
    file == shared || (shared.ends_with('/') && file.starts_with(shared))
}

fn names(packages: &[&Package]) -> String {
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Where this branch left the main one.
fn base() -> Result<String, Failure> {
    BASES
        .iter()
        .find_map(|branch| git(&["merge-base", branch, "HEAD"]).ok())
        .map(|revision| revision.trim().to_owned())
        .ok_or_else(|| {
            let message = "found neither `origin/main` nor `main`; name a revision by --since";
            Failure::new(message)
        })
}

/// What differs from `since`, committed or not, and what git does not know yet.
fn files(since: &str) -> Result<Vec<String>, Failure> {
    let changed = git(&["diff", "--name-only", since, "--"])?;
    let new = git(&["ls-files", "--others", "--exclude-standard"])?;
    Ok(changed.lines().chain(new.lines()).map(str::to_owned).collect())
}

fn git(args: &[&str]) -> Result<String, Failure> {
    captured(Command::new("git").args(args).current_dir(root()))
}

/// Asks cargo.
fn packages() -> Result<Vec<Package>, Failure> {
    let text = captured(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).doing("read what `cargo metadata` says")?;
    let base = format!("{}/", metadata["workspace_root"].as_str().unwrap_or_default());
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let package = |package: &Value| Package {
        name: text(&package["name"]),
        folder: text(&package["manifest_path"])
            .trim_start_matches(&base)
            .trim_end_matches("Cargo.toml")
            .to_owned(),
        needs: list(&package["dependencies"]).iter().map(|need| text(&need["name"])).collect(),
        holds: list(&package["targets"])
            .iter()
            .flat_map(|target| list(&target["kind"]))
            .filter_map(|kind| match kind.as_str()? {
                "lib" => Some("--lib"),
                "bin" => Some("--bins"),
                _ => None,
            })
            .collect(),
    };
    Ok(list(&metadata["packages"]).iter().map(package).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, folder: &str, needs: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            folder: folder.to_owned(),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
            holds: match name {
                "tool" => vec!["--bins"],
                "tests" => vec![],
                _ => vec!["--lib"],
            },
        }
    }

    #[test]
    fn dependants_of_what_changed_are_checked() {
        let all = [
            package("top", "crates/top/", &["middle"]),
            package("middle", "crates/middle/", &["low", "serde"]),
            package("low", "crates/low/", &[]),
            package("tool", "xtask/", &[]),
            package("bench", "xtask/bench/", &[]),
        ];
        let of = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
            names(&with_dependants(&all, &files))
        };
        assert_eq!(of(&["crates/low/src/lib.rs"]), "top, middle, low");
        assert_eq!(of(&["crates/middle/README.md"]), "top, middle");
        assert_eq!(of(&["xtask/bench/src/main.rs"]), "bench");
        assert_eq!(of(&["README.md"]), "nothing");
        assert_eq!(of(&["Cargo.lock"]), "top, middle, low, tool, bench");
        assert_eq!(of(&[".cargo/config.toml"]), "top, middle, low, tool, bench");
    }

    #[test]
    fn packages_are_asked_for_the_unit_tests_that_they_may_have() {
        let [low, tool, suite] = ["low", "tool", "tests"].map(|name| package(name, "", &[]));
        let steps = |touched: &[&Package]| format!("{:?}", of(touched));
        assert!(of(&[]).is_empty());
        assert!(steps(&[&low, &tool]).contains("-p low -p tool --all-features --bins --lib"));
        assert!(!steps(&[&tool]).contains("--lib"));
        assert_eq!(of(&[&suite]).len(), 1);
        assert!(steps(&[&suite, &low]).contains("test --no-fail-fast -p low "));
    }

    #[test]
    fn the_workspace_is_read() {
        let all = packages().unwrap();
        let core = all.iter().find(|package| package.name == "lakebase-core").unwrap();
        assert_eq!(core.folder, "crates/lakebase-core/");
        assert!(core.holds == ["--lib"] && core.needs.iter().any(|need| need == "bytes"));
        let facade = ["crates/lakebase/src/lib.rs".to_owned()];
        assert!(names(&with_dependants(&all, &facade)).contains("lakebase-cli"));
    }
}
