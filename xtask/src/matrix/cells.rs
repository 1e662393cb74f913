//! What a cell of the test matrix is, and the order of all. To add one, add an entry to one of the lists: nothing else knows their names.
//!
//! Order matters for time, not for results: quick checks first, then builds so that each finds what the one before it built.

use super::edge::EDGE;
use super::native::NATIVE;
use super::platforms::PLATFORMS;
use super::tools::TOOLS;
use crate::provision::Tool;

/// One row of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    /// As given to `--cell`.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) purpose: &'static str,
    /// What has to be on the machine beyond Rust.
    pub(crate) needs: &'static [Tool],
    /// Run in order; a failing step does not stop the ones after it.
    pub(crate) steps: &'static [Step],
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) run: Run,
    /// All features of the package that cargo turns on, where that is not left to it.
    pub(crate) features: Option<&'static str>,
    pub(crate) counts: Counts,
    pub(crate) env: &'static [(&'static str, &'static str)],
}

impl Step {
    const fn new(run: Run, counts: Counts) -> Self {
        Self { run, features: None, counts, env: &[] }
    }

    /// With these features and no others.
    pub(super) const fn features(self, features: &'static str) -> Self {
        Self { features: Some(features), ..self }
    }

    /// With these variables.
    pub(super) const fn env(self, env: &'static [(&'static str, &'static str)]) -> Self {
        Self { env, ..self }
    }
}

/// What is run; arguments are separated by white space.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    Cargo(&'static str),
    Xtask(&'static str),
}

/// How the checks of a step are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// The command itself is the check.
    One,
    /// By cargo's `test result:` lines.
    Tests,
    /// By the closing line `[word: ]N passed, N failed`; without one, `skipped: REASON` says that there was nothing to check.
    Closing,
}

/// A cargo command that runs tests.
pub(super) const fn tests(args: &'static str) -> Step {
    Step::new(Run::Cargo(args), Counts::Tests)
}

/// The same for tests that mostly wait for each other's servers: more of them at once than this machine has cores.
pub(super) const fn waiting_tests(args: &'static str) -> Step {
    tests(args).env(&[("RUST_TEST_THREADS", "8")])
}

/// A cargo command that passes by exiting with 0.
pub(super) const fn check(args: &'static str) -> Step {
    Step::new(Run::Cargo(args), Counts::One)
}

/// One of xtask's own commands, which end with a count.
pub(super) const fn own(args: &'static str) -> Step {
    Step::new(Run::Xtask(args), Counts::Closing)
}

/// One of xtask's own commands that passes by exiting with 0.
pub(super) const fn own_check(args: &'static str) -> Step {
    Step::new(Run::Xtask(args), Counts::One)
}

pub(super) const fn cell(
    name: &'static str,
    purpose: &'static str,
    needs: &'static [Tool],
    steps: &'static [Step],
) -> Cell {
    Cell { name, purpose, needs, steps }
}

/// Every cell, in the order they run.
pub(super) fn all() -> impl Iterator<Item = &'static Cell> + Clone {
    [NATIVE, EDGE, TOOLS, PLATFORMS].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_file_name() {
        let names: BTreeSet<_> = all().map(|cell| cell.name).collect();
        assert_eq!(names.len(), all().count());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name}");
        }
    }

    #[test]
    fn the_cells_that_cargo_test_leaves_out_exist() {
        let text = include_str!("../../../tests/left_out/main.rs");
        let names = |list: &str| {
            let (_, rest) = text.split_once(list).unwrap();
            let (list, _) = rest.split_once("];").unwrap();
            let quoted: Vec<_> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
            quoted
        };
        // Of pairs the first; of features the third, since `cfg!` quotes as well.
        let cells = names("const CELLS").into_iter().step_by(2);
        let of_features = names("const FEATURES").into_iter().skip(2).step_by(4);
        let named: Vec<String> = cells.chain(of_features).collect();
        assert!(named.len() > 10);
        for name in named {
            assert!(all().any(|cell| cell.name == name), "no cell {name}");
        }
    }

    #[test]
    fn every_cell_has_a_step_and_a_purpose() {
        for cell in all() {
            assert!(!cell.steps.is_empty() && !cell.purpose.is_empty(), "{}", cell.name);
        }
    }

    #[test]
    fn the_matrix_covers_every_runtime_with_every_http_client() {
        for runtime in ["tokio", "async-std", "smol", "all"] {
            for http in ["", "-surf"] {
                let name = format!("{runtime}{http}");
                assert!(all().any(|cell| cell.name == name), "no cell {name}");
            }
        }
        for name in ["fmt", "clippy", "docs", "isolation", "tidy", "fuzz-replay", "wasm32", "xtask"]
        {
            assert!(all().any(|cell| cell.name == name), "no cell {name}");
        }
    }
}
