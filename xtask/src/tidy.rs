//! `cargo xtask tidy`: what must hold in the sources and no compiler or lint checks.
//!
//! Each rule looks at one file or at the whole list and says what is wrong; rules share nothing and know nothing of the disk.

mod manifest;
mod readme;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::system::{Doing, Failure, root};

/// Every text file of the repository by its path from the root, with `/` between folders.
pub(crate) type Tree = BTreeMap<String, String>;

/// A rule: its name and what it finds wrong.
type Rule = (&'static str, fn(&Tree) -> Vec<String>);

const RULES: &[Rule] = &[
    ("every module says what it is", source::module_docs),
    ("no file is too long", source::length),
    ("no unwrap outside tests", source::unwraps),
    ("no test is ignored", source::ignored),
    ("no path of one machine", source::machine_paths),
    ("members inherit from the workspace", manifest::inherits),
    ("features are documented", manifest::features),
    ("published crates have what crates.io and docs.rs show", manifest::published),
    ("the Rust of README and guide is compiled", readme::examples),
    ("README has at most 250 lines of 100 columns", readme::size),
    ("the root holds only what belongs there", manifest::top_level),
];

/// Folders that are made, fetched or somebody else's.
const NOT_OURS: &[&str] = &["target", ".git", "node_modules", "corpus", "artifacts", "__pycache__"];
const TEXT: &[&str] = &["rs", "toml", "md", "yml", "yaml", "json", "py", "mjs", "js", "sh"];

/// Prints what is wrong and ends with `tidy: N passed, N failed`.
pub(crate) fn command() -> Outcome {
    let tree = read(&root())?;
    let mut failed = 0;
    for (name, rule) in RULES {
        let wrong = rule(&tree);
        println!("{} {name}", if wrong.is_empty() { "ok    " } else { "BROKEN" });
        for line in &wrong {
            println!("       {line}");
        }
        failed += usize::from(!wrong.is_empty());
    }
    for line in source::long(&tree) {
        println!("warning: {line}");
    }
    println!("tidy: {} passed, {failed} failed", RULES.len() - failed);
    Ok(failed == 0)
}

/// Paths of the Rust files below `folder`, from the root.
pub(crate) fn source_files(root: &Path, folder: &str) -> Result<Vec<String>, Failure> {
    let mut tree = Tree::new();
    walk(root, folder, &mut tree)?;
    Ok(tree.into_keys().filter(|path| path.ends_with(".rs")).collect())
}

fn read(root: &Path) -> Result<Tree, Failure> {
    let mut tree = Tree::new();
    walk(root, "", &mut tree)?;
    Ok(tree)
}

/// Files that are no text get an empty entry: only their names matter.
fn walk(root: &Path, folder: &str, tree: &mut Tree) -> Result<(), Failure> {
    let path = root.join(folder);
    for entry in fs::read_dir(&path).doing(format!("list {}", path.display()))? {
        let entry = entry.doing(format!("list {}", path.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        let below = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type().doing(format!("look at {below}"))?.is_dir() {
            walk(root, &below, tree)?;
            continue;
        }
        let is_text = name.rsplit('.').next().is_some_and(|end| TEXT.contains(&end))
            || below.starts_with(".ci/");
        let text = if is_text {
            fs::read_to_string(entry.path()).doing(format!("read {below}"))?
        } else {
            String::new()
        };
        tree.insert(below, text);
    }
    Ok(())
}

#[cfg(test)]
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_read_without_what_is_built() {
        let tree = read(&root()).unwrap();
        assert!(tree["Cargo.toml"].contains("[workspace]"));
        assert!(tree.contains_key("xtask/src/main.rs"));
        assert!(!tree.keys().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
        assert!(
            source_files(&root(), "xtask/src").unwrap().contains(&"xtask/src/tidy.rs".to_owned())
        );
    }
}
