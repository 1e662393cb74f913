//! A resolved dependency graph: which packages, at which versions, with which features.
//!
//! Only normal dependencies count; those of proc macros are among them, since they are downloaded and built too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::Command;

use serde::Deserialize;

use crate::process::captured;
use crate::system::{Failure, cargo};

/// A package of the workspace with a choice of features; the default ones are off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    pub(super) package: String,
    /// Separated by commas.
    #[serde(default)]
    pub(super) features: String,
    /// Instead of the machine's own.
    pub(super) target: Option<String>,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        if !self.features.is_empty() {
            write!(f, " [{}]", self.features)?;
        }
        self.target.as_ref().map_or(Ok(()), |target| write!(f, " on {target}"))
    }
}

/// Packages below one root, the root itself left out.
#[derive(Debug, Default)]
pub struct Graph {
    packages: BTreeMap<(String, String), BTreeSet<String>>,
}

/// Asks cargo.
pub(super) fn resolve(selection: &Selection) -> Result<Graph, Failure> {
    let mut command = cargo();
    command.args([
        "tree",
        "--quiet",
        "--package",
        &selection.package,
        "--no-default-features",
        "--features",
        &selection.features,
    ]);
    if let Some(target) = &selection.target {
        command.args(["--target", target]);
    }
    Graph::ask(&mut command)
}

impl Graph {
    /// What `command`, a `cargo tree` of one package, shows.
    pub fn ask(command: &mut Command) -> Result<Self, Failure> {
        command.args(["--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"]);
        Ok(Self::parse(&captured(command)?))
    }

    /// Reads `name v1.2.3 (path or proc-macro)|feature,feature (*)` lines; the first is the root.
    pub(super) fn parse(tree: &str) -> Self {
        let mut graph = Self::default();
        let mut root = None;
        for line in tree.lines() {
            let (package, features) = line.split_once('|').unwrap_or((line, ""));
            let mut words = package.split_whitespace();
            let Some(name) = words.next() else { continue };
            let key = (name.to_owned(), words.next().unwrap_or_default().to_owned());
            let features = features.trim_end_matches("(*)").trim();
            if root.is_none() {
                root = Some(key);
                continue;
            }
            if root.as_ref() != Some(&key) {
                let known = graph.packages.entry(key).or_default();
                known.extend(
                    features.split(',').filter(|feature| !feature.is_empty()).map(str::to_owned),
                );
            }
        }
        graph
    }

    /// Whether a package is there (`name`), or is there with a feature on (`name/feature`).
    pub(super) fn has(&self, wanted: &str) -> bool {
        let (package, feature) = wanted
            .split_once('/')
            .map_or((wanted, None), |(package, feature)| (package, Some(feature)));
        self.packages.iter().any(|((name, _), features)| {
            name == package && feature.is_none_or(|feature| features.contains(feature))
        })
    }

    /// Packages, two versions of one counted twice.
    pub fn count(&self) -> usize {
        self.packages.len()
    }

    /// Their names.
    pub(super) fn names(&self) -> String {
        join(self.packages.keys().map(|(name, _)| name.as_str()))
    }

    /// Names of the packages that `base` has not.
    pub(super) fn minus(&self, base: &Self) -> String {
        join(
            self.packages
                .keys()
                .filter(|key| !base.packages.contains_key(*key))
                .map(|(name, _)| name.as_str()),
        )
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "lakebase v0.1.0 (/x/crates/lakebase)|tokio\n\
        tokio v1.54.1|default,rt,sync\n\
        pin-project-lite v0.2.0|\n\
        async-trait v0.1.92 (proc-macro)|\n\
        tokio v1.54.1|default,rt,sync (*)\n\
        hashbrown v0.15.0|\nhashbrown v0.16.0|\n";

    #[test]
    fn packages_are_counted_once_per_version_without_the_root() {
        let graph = Graph::parse(TREE);
        assert_eq!(graph.count(), 5);
        assert_eq!(graph.names(), "async-trait, hashbrown, hashbrown, pin-project-lite, tokio");
    }

    #[test]
    fn packages_and_features_are_found() {
        let graph = Graph::parse(TREE);
        assert!(graph.has("tokio") && graph.has("tokio/rt") && graph.has("async-trait"));
        assert!(
            !graph.has("tokio/net")
                && !graph.has("smol")
                && !graph.has("lakebase")
                && !graph.has("async")
        );
    }

    #[test]
    fn the_difference_names_what_is_new() {
        let base = Graph::parse("x v1|\ntokio v1.54.1|\nhashbrown v0.15.0|\n");
        assert_eq!(Graph::parse(TREE).minus(&base), "async-trait, hashbrown, pin-project-lite");
    }

    #[test]
    fn cargo_is_asked_about_a_real_package() {
        let mut of = Selection { package: "xtask".to_owned(), ..Selection::default() };
        let graph = resolve(&of).unwrap();
        assert!(graph.has("serde_json") && !graph.has("xtask"), "{}", graph.names());
        of.features = "no-such-feature".to_owned();
        let error = resolve(&of).unwrap_err().to_string();
        assert!(error.contains("no-such-feature"), "{error}");
    }
}
