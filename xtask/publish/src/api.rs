//! `cargo xtask api`: the public API of each published crate as text, beside the recorded one.
//!
//! One line for each item, with all features on. Blanket implementations are left out, and of those that the compiler adds by itself all but
//! `Send`, `Sync` and `Unpin`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use xtask::process::{captured, shown};
use xtask::system::{cargo, cargo_of, root, target_dir};

use crate::packages;

/// The Rust whose rustdoc the library `public-api` reads, and whose words the recorded texts have.
const RUST: &str = "1.95.0";
/// Parts of lines about methods whose signature the trait fixes.
const FIXED: [&str; 6] = [
    "::clone(&self) -> ",
    "::fmt(&self, &mut core::fmt::Formatter<",
    "::eq(&self, &",
    "::cmp(&self, &",
    "::partial_cmp(&self, &",
    "::drop(&mut self)",
];
/// What the compiler implements by itself, and no program asks for.
const SILENT: [&str; 5] = [
    "Freeze for ",
    "UnsafeUnpin for ",
    "UnwindSafe for ",
    "RefUnwindSafe for ",
    "StructuralPartialEq for ",
];

/// Records the API, or says how it differs from the recorded one; ends with `api: N passed, N failed`.
pub(crate) fn run(record: bool) -> Result<bool> {
    let crates = published()?;
    let folder = root().join("xtask/publish/api");
    document()?;
    let mut failed = 0;
    for name in &crates {
        let json = target_dir().join(format!("doc/{}.json", name.replace('-', "_")));
        let now = text(&json)?;
        let path = folder.join(format!("{name}.txt"));
        if record {
            fs::write(&path, &now)
                .with_context(|| format!("could not write {}", path.display()))?;
            continue;
        }
        let changes = changes(&fs::read_to_string(&path).unwrap_or_default(), &now);
        println!("{} {name}", if changes.is_empty() { "ok    " } else { "CHANGED" });
        changes.iter().for_each(|line| println!("    {line}"));
        failed += usize::from(!changes.is_empty());
    }
    let others = others(&folder, &crates)?;
    for name in &others {
        if record {
            fs::remove_file(folder.join(name))?;
        } else {
            println!("CHANGED {name}: there is no such published crate");
        }
    }
    failed += if record { 0 } else { others.len() };
    if failed > 0 {
        println!("if that is meant, say it in CHANGELOG.md and run `cargo xtask api --record`");
    }
    println!("api: {} passed, {failed} failed", crates.len() + others.len() - failed);
    Ok(failed == 0)
}

/// Names of the crates that are published and have a library.
fn published() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for package in packages()? {
        let targets = package["targets"].as_array().into_iter().flatten();
        let library = targets
            .flat_map(|target| target["kind"].as_array().into_iter().flatten())
            .any(|kind| kind == "lib");
        if library && package["publish"].is_null() {
            names.extend(package["name"].as_str().map(str::to_owned));
        }
    }
    Ok(names)
}

/// Has rustdoc describe all crates; the selection is that of the cell `docs`, so that both compile dependencies once.
fn document() -> Result<()> {
    let here = captured(Command::new("rustc").arg("--version"))?;
    // The one Rust that counts; rustup fetches it if another one is in use.
    let mut cargo = if here.split(' ').nth(1) == Some(RUST) {
        cargo()
    } else {
        let install = ["toolchain", "install", RUST, "--profile", "minimal"];
        shown(Command::new("rustup").args(install)).with_context(|| {
            format!("the recorded text is that of Rust {RUST}, and here is {}", here.trim())
        })?;
        cargo_of(RUST)
    };
    cargo
        .args(["doc", "--quiet", "--no-deps", "--workspace", "--all-features", "--lib"])
        .env("RUSTDOC", root().join("xtask/publish/rustdoc.sh"));
    Ok(shown(&mut cargo)?)
}

/// A crate's API, a line for each item.
fn text(json: &Path) -> Result<String> {
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build();
    let api = api.with_context(|| format!("could not read {}", json.display()))?;
    let lines = api.items().map(|item| format!("{item}\n"));
    Ok(lines.filter(|line| tells(line)).collect())
}

/// Whether a line says anything that the ones around it do not.
fn tells(line: &str) -> bool {
    let silent = line.starts_with("impl") && SILENT.iter().any(|name| line.contains(name));
    !silent && !FIXED.iter().any(|method| line.contains(method))
}

/// Lines that are gone, then lines that are new.
fn changes(before: &str, now: &str) -> Vec<String> {
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) =
        (before.lines().collect(), now.lines().collect());
    let gone = before.lines().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let added = now.lines().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(added).collect()
}

/// Recorded texts of crates that are not published.
fn others(folder: &Path, crates: &[String]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !crates.iter().any(|known| name == format!("{known}.txt")) {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_say_nothing_are_left_out() {
        for line in [
            "impl core::marker::Send for a::B",
            "impl core::clone::Clone for a::B",
            "pub fn a::B::clone_from(&mut self, &a::B)",
            "pub struct a::Freeze",
        ] {
            assert!(tells(line), "{line}");
        }
        for line in [
            "impl core::marker::Freeze for a::B",
            "impl !core::panic::unwind_safe::RefUnwindSafe for a::B",
            "pub fn a::B::clone(&self) -> a::B",
            "pub fn a::B::fmt(&self, &mut core::fmt::Formatter<'_>) -> core::fmt::Result",
        ] {
            assert!(!tells(line), "{line}");
        }
    }

    #[test]
    fn what_is_gone_and_what_is_new_is_shown() {
        assert!(changes("a\nb\n", "b\na\n").is_empty());
        assert_eq!(changes("a\nb\n", "b\nc\n"), ["- a", "+ c"]);
        assert_eq!(changes("", "a\n"), ["+ a"]);
    }

    #[test]
    fn texts_without_a_crate_are_found() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let known = ["none".to_owned()];
        let mut found = others(&folder, &known).unwrap();
        found.sort();
        assert_eq!(found, ["lakebase.json", "lakebase.rb"]);
    }
}
