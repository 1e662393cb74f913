//! What a cell of the test matrix is. The cells themselves are data: `xtask/cells.toml` says what its fields mean.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::provision::Tool;
use crate::system::{Doing, Failure};

/// One row of the matrix.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cell {
    /// As given to `--cell`.
    pub(crate) name: String,
    /// One line for `--list`.
    pub(crate) purpose: String,
    #[serde(default)]
    pub(crate) needs: Vec<Tool>,
    pub(crate) threads: Option<usize>,
    pub(crate) steps: Vec<Step>,
}

/// One command.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Form")]
pub(crate) struct Step {
    /// Starts with `cargo` or `xtask`.
    pub(crate) run: String,
    pub(crate) counts: Counts,
    pub(crate) env: BTreeMap<String, String>,
}

/// How a step is written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Run(String),
    Table {
        run: String,
        counts: Option<Counts>,
        #[serde(default)]
        env: BTreeMap<String, String>,
    },
}

impl From<Form> for Step {
    fn from(form: Form) -> Self {
        let (run, counts, env) = match form {
            Form::Run(run) => (run, None, BTreeMap::new()),
            Form::Table { run, counts, env } => (run, counts, env),
        };
        let counts = counts.unwrap_or_else(|| Counts::of(&run));
        Self { run, counts, env }
    }
}

impl From<&str> for Step {
    fn from(run: &str) -> Self {
        Form::Run(run.to_owned()).into()
    }
}

/// How the checks of a step are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Counts {
    /// The command itself is the check.
    One,
    /// By cargo's `test result:` lines.
    Tests,
    /// By the closing line `[word: ]N passed, N failed`; without one, `skipped: REASON` says that there was nothing to check.
    Closing,
}

impl Counts {
    /// Unless said otherwise.
    fn of(run: &str) -> Self {
        if run.starts_with("cargo test ") {
            Self::Tests
        } else if run.starts_with("xtask ") {
            Self::Closing
        } else {
            Self::One
        }
    }
}

/// Every cell, in the order they run.
pub(super) fn all() -> Result<Vec<Cell>, Failure> {
    let mut file: BTreeMap<String, Vec<Cell>> =
        toml::from_str(include_str!("../../cells.toml")).doing("read xtask/cells.toml")?;
    Ok(file.remove("cell").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names() -> BTreeSet<String> {
        all().unwrap().into_iter().map(|cell| cell.name).collect()
    }

    #[test]
    fn names_are_unique_and_fit_a_file_name() {
        let names = names();
        assert_eq!(names.len(), all().unwrap().len());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name}");
        }
    }

    #[test]
    fn the_cells_that_cargo_test_leaves_out_exist() {
        let text = include_str!("../../../tests/left_out/main.rs");
        let quoted = |list: &str| {
            let (_, rest) = text.split_once(list).unwrap();
            let (list, _) = rest.split_once("];").unwrap();
            let quoted: Vec<_> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
            quoted
        };
        // Of pairs the first; of features the third, since `cfg!` quotes as well.
        let cells = quoted("const CELLS").into_iter().step_by(2);
        let of_features = quoted("const FEATURES").into_iter().skip(2).step_by(4);
        let named: Vec<String> = cells.chain(of_features).collect();
        assert!(named.len() > 10);
        for name in named {
            assert!(names().contains(&name), "no cell {name}");
        }
    }

    #[test]
    fn every_cell_has_a_purpose_and_steps_of_cargo_or_xtask() {
        for Cell { name, purpose, steps, .. } in all().unwrap() {
            assert!(!steps.is_empty() && !purpose.is_empty(), "{name}");
            for Step { run, .. } in steps {
                assert!(run.starts_with("cargo ") || run.starts_with("xtask "), "{name}: {run}");
            }
        }
    }

    #[test]
    fn steps_are_counted_by_what_they_run() {
        let counts = |run: &str| Step::from(run).counts;
        assert_eq!(counts("cargo test -p a"), Counts::Tests);
        assert_eq!(counts("cargo clippy --all-targets"), Counts::One);
        assert_eq!(counts("xtask tidy"), Counts::Closing);
        let step: BTreeMap<String, Step> =
            toml::from_str("a = { run = \"xtask demo\", counts = \"one\" }").unwrap();
        assert_eq!(step["a"].counts, Counts::One);
    }

    #[test]
    fn the_matrix_covers_every_runtime_with_every_http_client() {
        let names = names();
        for runtime in ["tokio", "async-std", "smol", "all"] {
            for http in ["", "-surf"] {
                let name = format!("{runtime}{http}");
                assert!(names.contains(&name), "no cell {name}");
            }
        }
        for name in ["fmt", "clippy", "docs", "isolation", "tidy", "fuzz-replay", "wasm32", "xtask"]
        {
            assert!(names.contains(name), "no cell {name}");
        }
    }
}
