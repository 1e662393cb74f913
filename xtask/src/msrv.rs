//! `cargo xtask msrv`: whether the workspace builds with the oldest Rust that its crates name (`rust-version`), and whether their dependencies do.
//!
//! With that Rust, where rustup has it. Elsewhere clippy looks for parts of the standard library that are newer (`incompatible_msrv`); it does not
//! see newer syntax. What ran is printed as a remark.

use std::process::Command;

use serde_json::Value;

use crate::Outcome;
use crate::process::{captured, shown};
use crate::system::{Doing, Failure, cargo, cargo_of, host_triple, target_dir};

/// The same as in the cell `clippy`, so that both share one build. `clippy::all`, which the workspace turns on, holds `incompatible_msrv`.
const LINTS: &[&str] =
    &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];

/// Prints what is wrong and ends with `msrv: N passed, N failed`.
pub(crate) fn command() -> Outcome {
    let mut metadata = cargo();
    metadata.args(["metadata", "--all-features", "--format-version=1"]);
    let metadata = captured(metadata.args(["--filter-platform", &host_triple()?]))?;
    let metadata: Value =
        serde_json::from_str(&metadata).doing("read what `cargo metadata` says")?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let ours = oldest(packages).ok_or_else(|| Failure::new("no crate names a `rust-version`"))?;
    let newer = newer(packages, ours);
    for package in &newer {
        println!("BROKEN {package}, and ours is {ours}");
    }
    let installed = captured(Command::new("rustup").args(["toolchain", "list"]));
    let built = match toolchain(&installed.unwrap_or_default(), ours) {
        Some(name) => {
            println!("remark: checked with Rust {name}");
            // Beside the others: another compiler shares nothing with them.
            shown(
                cargo_of(name)
                    .args(["check", "--workspace", "--all-features"])
                    .env("CARGO_TARGET_DIR", target_dir().join("msrv")),
            )
        }
        None => {
            println!("remark: Rust {ours} is not installed; clippy looked for what is newer");
            shown(cargo().args(LINTS))
        }
    };
    if let Err(failure) = &built {
        println!("BROKEN {failure}");
    }
    let failed = usize::from(!newer.is_empty()) + usize::from(built.is_err());
    println!("msrv: {} passed, {failed} failed", 2 - failed);
    Ok(failed == 0)
}

/// The `rust-version` of the workspace.
fn oldest(packages: &[Value]) -> Option<&str> {
    packages.iter().find(|package| package["source"].is_null())?["rust_version"].as_str()
}

/// Dependencies that ask for more than `ours`, in words.
fn newer(packages: &[Value], ours: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let wants_more = |package: &&Value| {
        package["rust_version"].as_str().is_some_and(|theirs| version(theirs) > version(ours))
    };
    let asks = |package: &Value| {
        let [name, number, rust] =
            ["name", "version", "rust_version"].map(|field| text(&package[field]));
        format!("{name} {number} asks for Rust {rust}")
    };
    packages.iter().filter(wants_more).map(asks).collect()
}

/// `1.94` is `1.94.0`.
fn version(text: &str) -> [u64; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or_default());
    [(); 3].map(|()| parts.next().unwrap_or_default())
}

/// The name of an installed toolchain of the release `wanted`, from what `rustup toolchain list` prints.
fn toolchain<'a>(list: &'a str, wanted: &str) -> Option<&'a str> {
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    names.into_iter().find(|name| {
        let rest = name.strip_prefix(wanted).unwrap_or_default();
        rest.starts_with(['.', '-'])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dependencies_that_ask_for_more_are_named() {
        let packages = [
            json!({"name": "ours", "version": "0.1.0", "rust_version": "1.94", "source": null}),
            json!({"name": "old", "version": "1.0.0", "rust_version": "1.9", "source": "r"}),
            json!({"name": "same", "version": "1.0.0", "rust_version": "1.94.0", "source": "r"}),
            json!({"name": "new", "version": "2.1.0", "rust_version": "1.94.1", "source": "r"}),
            json!({"name": "silent", "version": "1.0.0", "rust_version": null, "source": "r"}),
        ];
        assert_eq!(oldest(&packages), Some("1.94"));
        assert_eq!(newer(&packages, "1.94"), ["new 2.1.0 asks for Rust 1.94.1"]);
        assert_eq!(oldest(&packages[1..]), None);
    }

    #[test]
    fn a_toolchain_is_found_by_its_release() {
        let list = "stable-x86_64-unknown-linux-gnu (active, default)\n1.9.0-x86_64-unknown-linux-gnu\n\
                    1.94.1-x86_64-unknown-linux-gnu\n";
        assert_eq!(toolchain(list, "1.94"), Some("1.94.1-x86_64-unknown-linux-gnu"));
        assert_eq!(toolchain("1.94-x86_64-unknown-linux-gnu\n", "1.94").map(str::len), Some(29));
        assert_eq!(toolchain(list, "1.95"), None);
        assert_eq!(toolchain("", "1.94"), None);
    }
}
