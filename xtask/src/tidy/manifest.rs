//! Rules about manifests, features and the layout of the repository.
//!
//! Manifests are read line by line: they are our own and written one key a line.

use std::collections::BTreeSet;

use super::Tree;

const ROOT: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "crates",
    "xtask",
    "fuzz",
    "tests",
];

/// Keys of a published package. There is no `repository` as long as the project has no public address.
const PUBLISHED: &[&str] = &[
    "description",
    "version",
    "rust-version",
    "license",
    "keywords",
    "categories",
    "documentation",
];
/// Files that a package takes from beside its manifest; the licences may be links to the root's.
const BESIDE: [&str; 3] = ["README.md", "LICENSE-MIT", "LICENSE-APACHE"];
const DOCS_RS: &[&str] = &["all-features = true", "rustdoc-args = [\"--cfg\", \"docsrs\"]"];
/// Shows at each item which feature it needs.
const BADGES: &str = "#![cfg_attr(docsrs, feature(doc_cfg))]";

/// Manifests of workspace members.
fn members(tree: &Tree) -> impl Iterator<Item = (&String, &String)> {
    tree.iter().filter(|(path, _)| {
        let parts: Vec<_> = path.split('/').collect();
        matches!(parts.as_slice(), ["crates", _, "Cargo.toml"] | ["tests" | "xtask", "Cargo.toml"])
    })
}

/// Lines of one table, comments left out.
fn table<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let header = format!("[{name}]");
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// Lints, version and edition come from the root manifest.
pub(super) fn inherits(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, text) in members(tree) {
        seen += 1;
        for (place, line) in [
            ("package", "version.workspace = true"),
            ("package", "edition.workspace = true"),
            ("lints", "workspace = true"),
        ] {
            if !table(text, place).contains(&line) {
                wrong.push(format!("{path}: [{place}] lacks `{line}`"));
            }
        }
    }
    if seen == 0 {
        wrong.push("no member was found".to_owned());
    }
    wrong
}

/// Every feature of a published library is named, in backticks, in the crate's documentation.
pub(super) fn features(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in members(tree) {
        let folder = path.trim_end_matches("Cargo.toml");
        if table(text, "package").contains(&"publish = false") {
            continue;
        }
        let source = ["src/lib.rs", "src/main.rs"]
            .iter()
            .find_map(|name| tree.get(&format!("{folder}{name}")));
        let docs: String = source
            .map(String::as_str)
            .unwrap_or_default()
            .lines()
            .filter(|line| line.starts_with("//!"))
            .collect();
        for feature in table(text, "features")
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name.trim())
        {
            if feature != "default"
                && !feature.starts_with('_')
                && !docs.contains(&format!("`{feature}`"))
            {
                wrong.push(format!("{folder}src/lib.rs: the crate's documentation does not mention feature `{feature}`"));
            }
        }
    }
    wrong
}

/// What crates.io and docs.rs show of a published crate is there, and the Rust of its README is compiled.
pub(super) fn published(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in members(tree) {
        let package = table(text, "package");
        if package.contains(&"publish = false") {
            continue;
        }
        let folder = path.trim_end_matches("Cargo.toml");
        for key in PUBLISHED {
            if !package.iter().any(|line| line.split(['.', ' ']).next() == Some(*key)) {
                wrong.push(format!("{path}: [package] lacks `{key}`"));
            }
        }
        for file in BESIDE {
            if !tree.contains_key(&format!("{folder}{file}")) {
                wrong.push(format!("{folder}{file} is missing"));
            }
        }
        let Some(library) = tree.get(&format!("{folder}src/lib.rs")) else { continue };
        for line in DOCS_RS {
            if !table(text, "package.metadata.docs.rs").contains(line) {
                wrong.push(format!("{path}: [package.metadata.docs.rs] lacks `{line}`"));
            }
        }
        let readme = tree.get(&format!("{folder}README.md")).map_or("", String::as_str);
        let compiled = "#[doc = include_str!(\"../README.md\")]";
        let lines = [BADGES].into_iter().chain(readme.contains("```rust").then_some(compiled));
        for line in lines.filter(|line| !library.contains(line)) {
            wrong.push(format!("{folder}src/lib.rs lacks `{line}`"));
        }
    }
    wrong
}

/// Nothing lies in the root but what the map of the repository shows.
pub(super) fn top_level(tree: &Tree) -> Vec<String> {
    let entries: BTreeSet<&str> = tree.keys().filter_map(|path| path.split('/').next()).collect();
    entries
        .into_iter()
        .filter(|name| {
            !ROOT.contains(name) && !name.starts_with('.') && !name.starts_with("LICENSE-")
        })
        .map(|name| format!("`{name}` does not belong in the root"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\n[lints]\nworkspace = true\n";

    #[test]
    fn members_that_go_their_own_way_are_found() {
        let bad = GOOD
            .replace("edition.workspace = true", "edition = \"2021\"")
            .replace("[lints]\nworkspace = true", "");
        let files = tree(&[
            ("crates/a/Cargo.toml", GOOD),
            ("tests/Cargo.toml", &bad),
            ("fuzz/Cargo.toml", "[package]"),
        ]);
        assert_eq!(
            inherits(&files),
            [
                "tests/Cargo.toml: [package] lacks `edition.workspace = true`",
                "tests/Cargo.toml: [lints] lacks `workspace = true`"
            ]
        );
        assert_eq!(inherits(&tree(&[("a.rs", "")])), ["no member was found"]);
    }

    #[test]
    fn undocumented_features_are_found() {
        let manifest = format!(
            "{GOOD}\n[features]\ndefault = []\n# a comment = here\ntokio = []\nsmol = []\n_private = []\n"
        );
        let docs = "//! A crate.\n//! - `tokio`: a runtime.\nfn smol() {}\n";
        let files = tree(&[("crates/a/Cargo.toml", &manifest), ("crates/a/src/lib.rs", docs)]);
        let wrong = features(&files);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains("`smol`"));
        let unpublished = manifest.replace("name = \"a\"", "name = \"a\"\npublish = false");
        assert!(
            features(&tree(&[
                ("crates/a/Cargo.toml", &unpublished),
                ("crates/a/src/lib.rs", docs)
            ]))
            .is_empty()
        );
    }

    #[test]
    fn what_a_published_crate_lacks_is_named() {
        let manifest = "[package]\ndescription = \"a\"\nversion.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\nkeywords = []\ncategories = []\ndocumentation = \"b\"\n[package.metadata.docs.rs]\nall-features = true\nrustdoc-args = [\"--cfg\", \"docsrs\"]\n";
        let check = |manifest: &str, readme: &str, library: &str| {
            published(&tree(&[
                ("crates/a/Cargo.toml", manifest),
                ("crates/a/README.md", readme),
                ("crates/a/LICENSE-MIT", ""),
                ("crates/a/LICENSE-APACHE", ""),
                ("crates/a/src/lib.rs", library),
            ]))
        };
        let library = format!("{BADGES}\n#[doc = include_str!(\"../README.md\")]\n");
        assert!(check(manifest, "```rust\n```", &library).is_empty());
        assert_eq!(
            check(&manifest.replace("license.workspace", "license-file"), "", &library),
            ["crates/a/Cargo.toml: [package] lacks `license`"]
        );
        let wrong = check("[package]\n", "```rust\n```", "");
        assert_eq!(wrong.len(), PUBLISHED.len() + DOCS_RS.len() + 2, "{wrong:?}");
        assert!(check("[package]\npublish = false\n", "```rust\n```", "").is_empty());
        let bare = published(&tree(&[("crates/a/Cargo.toml", manifest)]));
        assert_eq!(bare, BESIDE.map(|file| format!("crates/a/{file} is missing")));
    }

    #[test]
    fn strangers_in_the_root_are_found() {
        let files = tree(&[
            ("Cargo.toml", ""),
            ("LICENSE-MIT", ""),
            (".ci/run", ""),
            ("crates/a/x.rs", ""),
            ("notes/a.md", ""),
            ("b.txt", ""),
        ]);
        assert_eq!(
            top_level(&files),
            ["`b.txt` does not belong in the root", "`notes` does not belong in the root"]
        );
    }
}
