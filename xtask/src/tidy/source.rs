//! Rules about single source files.

use super::Tree;

const WARN: usize = 450;
const FAIL: usize = 800;

/// Put together here, so that this file does not hold them.
const PATHS: &[&str] = &[
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/tmp/", "target-"),
    concat!("../", "shared/"),
    concat!(".py", "env/"),
];

fn rust(tree: &Tree) -> impl Iterator<Item = (&String, &String)> {
    tree.iter().filter(|(path, _)| path.ends_with(".rs"))
}

/// How a file starts that a program wrote.
const GENERATED: &str = "// This file was generated with ";

/// Every `.rs` file starts with `//!`; fuzz targets may start with an attribute, and what a program wrote says that.
pub(super) fn module_docs(tree: &Tree) -> Vec<String> {
    rust(tree)
        .filter(|(path, text)| {
            let mut lines = text.lines().filter(|line| !line.trim().is_empty());
            let first = if path.starts_with("fuzz/") {
                lines.find(|line| !line.starts_with("#!["))
            } else {
                lines.next()
            };
            !first.is_some_and(|line| line.starts_with("//!") || line.starts_with(GENERATED))
        })
        .map(|(path, _)| format!("{path} does not start with `//!`"))
        .collect()
}

/// No file above 800 lines.
pub(super) fn length(tree: &Tree) -> Vec<String> {
    longer(tree, FAIL)
}

/// Files above 450 lines: to be split before they grow.
pub(super) fn long(tree: &Tree) -> Vec<String> {
    longer(tree, WARN)
}

fn longer(tree: &Tree, limit: usize) -> Vec<String> {
    rust(tree)
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > limit)
        .map(|(path, lines)| format!("{path} has {lines} lines, more than {limit}"))
        .collect()
}

/// Code that ships: no tests, no test kit, no comments.
fn shipped(path: &str) -> bool {
    let test_file = path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
        || path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples"));
    !test_file && !path.starts_with("fuzz/") && !path.contains("lakebase-testkit/")
}

/// `.unwrap()` outside tests, where clippy does not look (macros, other targets).
pub(super) fn unwraps(tree: &Tree) -> Vec<String> {
    let call = concat!(".unwrap", "()");
    let mut wrong = Vec::new();
    for (path, text) in rust(tree).filter(|(path, _)| shipped(path)) {
        for (index, line) in text.lines().enumerate().take_while(|(_, line)| !is_test_code(line)) {
            if line.contains(call) && !line.trim_start().starts_with("//") {
                wrong.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    wrong
}

fn is_test_code(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test")
}

/// Ignored tests and code left for later.
pub(super) fn ignored(tree: &Tree) -> Vec<String> {
    let banned = [concat!("#[", "ignore"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    let mut wrong = Vec::new();
    for (path, text) in rust(tree) {
        for (index, line) in text.lines().enumerate() {
            if banned.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    wrong
}

/// Paths that exist on one machine only.
pub(super) fn machine_paths(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in tree {
        for (index, line) in text.lines().enumerate() {
            for word in PATHS.iter().filter(|word| line.contains(*word)) {
                wrong.push(format!("{path}:{} names `{word}`", index + 1));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn modules_without_docs_are_found() {
        let files = tree(&[
            ("a.rs", "//! Good.\n"),
            ("b.rs", "use std::fmt;\n//! Late.\n"),
            ("c.rs", ""),
            ("fuzz/fuzz_targets/d.rs", "#![no_main]\n//! Good.\n"),
            ("e.md", "text"),
            ("f.rs", "// This file was generated with `x`. Do not modify.\nuse std::fmt;\n"),
        ]);
        assert_eq!(
            module_docs(&files),
            ["b.rs does not start with `//!`", "c.rs does not start with `//!`"]
        );
    }

    #[test]
    fn long_files_warn_and_then_fail() {
        let files = tree(&[
            ("a.rs", &"x\n".repeat(450)),
            ("b.rs", &"x\n".repeat(451)),
            ("c.rs", &"x\n".repeat(801)),
        ]);
        assert_eq!(length(&files), ["c.rs has 801 lines, more than 800"]);
        assert_eq!(long(&files).len(), 2);
    }

    #[test]
    fn unwraps_are_found_outside_tests_only() {
        let line = concat!("    a.unwrap", "();\n");
        let test = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{line}}}\n");
        let comment = format!("// {line}");
        let files = tree(&[
            ("crates/a/src/lib.rs", line),
            ("crates/a/src/b.rs", &test),
            ("crates/a/src/c.rs", &comment),
            ("crates/a/tests/d.rs", line),
            ("crates/a/src/e/tests.rs", line),
            ("crates/a/src/e_tests.rs", line),
        ]);
        let wrong = unwraps(&files);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("crates/a/src/lib.rs:1: "));
    }

    #[test]
    fn ignored_tests_and_gaps_are_found() {
        let files = tree(&[
            ("a.rs", concat!("#[", "ignore]\nfn a() {}\n")),
            ("b.rs", concat!("todo", "!()")),
            ("c.rs", "fn c() {}"),
        ]);
        assert_eq!(ignored(&files).len(), 2);
    }

    #[test]
    fn machine_paths_are_found_in_any_text() {
        let files = tree(&[
            ("a.md", concat!("see ../", "shared/notes")),
            ("b.yml", concat!("cd /", "root/x")),
            ("c.rs", "//! /usr/lib"),
        ]);
        assert_eq!(machine_paths(&files).len(), 2);
    }
}
