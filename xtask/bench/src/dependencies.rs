//! Row `dependencies`: what a program gets with us, with sqlx alone, and with peers: crates, and processor time of a build from nothing.
//!
//! Ours and sqlx alone are resolved by this workspace's lock file, peers by that of `xtask/peers/dependencies`. Crates are those of normal
//! dependencies on this machine's target, the subject's own among them, two versions of one counted twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;
use xtask::process::captured;
use xtask::system::{Doing, Failure, cargo, host_triple, root, target_dir};
use xtask::{Graph, sqlx_alone};

use crate::report::Report;
use crate::{Settings, usage};

const CRATES: &str = "crates";
const BEYOND: &str = "crates beyond sqlx alone";
const BUILD: &str = "processor s of a cold build";
/// Settings that make builds alike: cargo's own for development, without what it does only for packages of a workspace, and without the network.
const ALIKE: &[(&str, &str)] = &[
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_PROFILE_DEV_DEBUG", "2"),
    ("CARGO_NET_OFFLINE", "true"),
    ("RUSTC_WRAPPER", ""),
];

/// What a program may depend on.
struct Subject {
    name: &'static str,
    /// The runtime.
    case: &'static str,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// A package of this workspace with these features, the default ones off.
    Ours(&'static str, &'static str),
    /// sqlx as `lakebase-sqlx` has it, on this runtime.
    Sqlx(&'static str),
    /// A package of `xtask/peers/dependencies`.
    Peer(&'static str),
}

const fn subject(name: &'static str, case: &'static str, what: What) -> Subject {
    Subject { name, case, what }
}

/// In the order of the table; sqlx alone before those that are compared with it.
const SUBJECTS: &[Subject] = &[
    subject("sqlx alone", "tokio", What::Sqlx("tokio")),
    subject("sqlx alone", "smol", What::Sqlx("smol")),
    subject("sqlx alone", "async-std", What::Sqlx("async-std")),
    subject("ours", "tokio", What::Ours("lakebase", "sqlx,tokio")),
    subject("ours", "smol", What::Ours("lakebase", "sqlx,smol")),
    subject("ours", "async-std", What::Ours("lakebase", "sqlx,async-std")),
    subject("ours: core alone", "no runtime", What::Ours("lakebase-core", "")),
    subject("sqlx by its README", "tokio", What::Peer("sqlx-readme")),
    subject("aurora-dsql-sqlx-connector 0.2.2", "tokio", What::Peer("aurora")),
    subject("aws-sdk-rds 1.159.0 + aws-config 1.13.0", "tokio", What::Peer("aws-rds")),
];

impl What {
    /// The workspace that the package is in.
    fn folder(self) -> Result<PathBuf, Failure> {
        match self {
            Self::Ours(..) => Ok(root()),
            Self::Sqlx(runtime) => sqlx_alone(runtime),
            Self::Peer(_) => Ok(root().join("xtask/peers/dependencies")),
        }
    }

    /// A cargo command about the package.
    fn cargo(self, command: &str) -> Result<Command, Failure> {
        let mut cargo = cargo();
        cargo.args([command, "--quiet"]).current_dir(self.folder()?);
        match self {
            Self::Ours(package, features) => {
                cargo.args(["--package", package, "--no-default-features", "--features", features])
            }
            Self::Sqlx(_) => &mut cargo,
            Self::Peer(package) => cargo.args(["--locked", "--package", package]),
        };
        Ok(cargo)
    }

    /// Downloads what a build needs.
    fn fetch(self) -> Result<(), Failure> {
        let mut fetch = cargo();
        fetch.args(["fetch", "--quiet", "--target", &host_triple()?]).current_dir(self.folder()?);
        captured(&mut fetch).map(drop)
    }

    /// How many crates a program gets with it.
    fn crates(self) -> Result<usize, Failure> {
        let below = Graph::ask(&mut self.cargo("tree")?)?.count();
        // The package in which sqlx or a peer stands alone is not theirs.
        Ok(below + usize::from(matches!(self, Self::Ours(..))))
    }

    /// Whether it builds sqlx, too.
    fn holds_sqlx(self) -> bool {
        !matches!(self, Self::Ours("lakebase-core", _) | Self::Peer("aws-rds"))
    }
}

/// Measures everything; what cannot be built is a note that says so, and a failure unless it is a peer.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    let mut alone = BTreeMap::new();
    let mut ready = Vec::new();
    for it in SUBJECTS {
        let counted = it.what.fetch().and_then(|()| it.what.crates()).map(|count| {
            report.add(it.case, it.name, CRATES, count as f64);
            if let What::Sqlx(runtime) = it.what {
                alone.insert(runtime, count);
            } else if let Some(base) = alone.get(it.case)
                && it.what.holds_sqlx()
            {
                report.add(it.case, it.name, BEYOND, count as f64 - *base as f64);
            }
        });
        if let Err(failure) = &counted {
            report.note(it.case, it.name, CRATES, failure.to_string());
        }
        ready.push((it, counted));
    }
    for round in 0..settings.rounds {
        for (it, done) in &mut ready {
            if done.is_ok() {
                eprintln!("bench: building {} ({}), round {}", it.name, it.case, round + 1);
                *done = it.what.cargo("build").and_then(cold).map(|time| {
                    report.add(it.case, it.name, BUILD, time);
                });
            }
            if let Err(failure) = done {
                report.note(it.case, it.name, BUILD, failure.to_string());
            }
        }
    }
    let needed = |it: &Subject| !matches!(it.what, What::Peer(_));
    let broken = ready.iter().filter(|(it, done)| done.is_err() && needed(it)).count();
    ensure!(broken == 0, "{broken} could not be built");
    Ok(())
}

/// Seconds of processor time, user and system, of `build`, a `cargo build`, into an empty target folder.
fn cold(mut build: Command) -> Result<f64, Failure> {
    let target = target_dir().join("bench/cold");
    let empty = || match fs::remove_dir_all(&target) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).doing(format!("empty {}", target.display()))
        }
        _ => Ok(()),
    };
    empty()?;
    build.envs(ALIKE.iter().copied()).env("CARGO_TARGET_DIR", &target);
    let children = || usage::ended_children().doing("read processor times");
    let before = children()?;
    captured(&mut build)?;
    let time = children()? - before;
    empty()?;
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_versions_are_pinned() {
        let manifest = |package: &str| {
            let path = format!("xtask/peers/dependencies/{package}/Cargo.toml");
            fs::read_to_string(root().join(path)).unwrap()
        };
        for subject in SUBJECTS {
            let What::Peer(package) = subject.what else { continue };
            for pair in subject.name.split(" + ") {
                let Some((name, version)) = pair.split_once(' ') else { continue };
                if version.starts_with(|c: char| c.is_ascii_digit()) {
                    let pinned = manifest(package);
                    let found = pinned.lines().any(|line| {
                        line.starts_with(name) && line.contains(&format!("\"={version}\""))
                    });
                    assert!(found, "{pair} in {pinned}");
                }
            }
        }
    }

    #[test]
    fn sqlx_alone_comes_before_what_is_compared_with_it() {
        for subject in SUBJECTS.iter().filter(|subject| subject.what.holds_sqlx()) {
            let first = SUBJECTS.iter().find(|first| first.case == subject.case).unwrap();
            assert!(matches!(first.what, What::Sqlx(runtime) if runtime == subject.case));
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_a_failure_that_names_it() {
        let failure = What::Peer("no-such-peer").crates().unwrap_err().to_string();
        assert!(failure.contains("no-such-peer"), "{failure}");
    }

    #[test]
    fn our_own_crate_is_counted() {
        let core = What::Ours("lakebase-core", "");
        let below = Graph::ask(&mut core.cargo("tree").unwrap()).unwrap().count();
        assert_eq!(core.crates().unwrap(), below + 1);
    }
}
