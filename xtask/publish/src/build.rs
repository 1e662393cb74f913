//! The command for one platform, as a program that does not tell where it was built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask::process::{captured, shown};
use xtask::provision::Variables;
use xtask::system::{cargo, root};

/// A platform that links on this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) triple: &'static str,
    /// The name of the program.
    pub(crate) program: &'static str,
    /// What the linker must leave out.
    link: &'static [&'static str],
}

pub(crate) const LINUX: Target =
    Target { triple: "x86_64-unknown-linux-musl", program: "lakebase", link: &[] };
pub(crate) const WINDOWS: Target = Target {
    triple: "x86_64-pc-windows-gnu",
    program: "lakebase.exe",
    link: &["-Clink-arg=-Wl,--no-insert-timestamp"],
};

/// Builds `target` in `folder` by cargo's `profile` and with `compilers`; gives the program's bytes.
pub(crate) fn program(
    compilers: &Variables,
    target: &Target,
    profile: &str,
    folder: &Path,
) -> Result<Vec<u8>> {
    let names = names(folder)?;
    let rust = names.iter().map(|(path, name)| format!("--remap-path-prefix={path}={name}"));
    let rust: Vec<String> = rust.chain(target.link.iter().map(|flag| (*flag).to_owned())).collect();
    let c: Vec<String> =
        names.iter().map(|(path, name)| format!("-ffile-prefix-map={path}={name}")).collect();
    let triple = target.triple.replace('-', "_");
    let mut cargo = cargo();
    cargo
        .args(["build", "--quiet", "--locked", "--package", "lakebase-cli", "--bin", "lakebase"])
        .args(["--profile", profile, "--target", target.triple, "--target-dir"])
        .arg(folder)
        // Paths may hold spaces.
        .env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"))
        .env(format!("CFLAGS_{triple}"), c.join(" "))
        .envs(compilers.iter().cloned())
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "none");
    shown(&mut cargo)?;
    let path = path(target, profile, folder);
    let bytes = std::fs::read(&path).with_context(|| format!("no {}", path.display()))?;
    let told = told(&bytes, &names);
    ensure!(told.is_none(), "{} names {told:?}, so its bytes differ elsewhere", path.display());
    Ok(bytes)
}

/// The first folder of this machine that a program names.
fn told<'a>(program: &[u8], names: &'a [(String, String)]) -> Option<&'a str> {
    // A name such as `/src` is part of other paths, too.
    let long = names.iter().filter(|(place, _)| place.matches(['/', '\\']).count() > 1);
    long.map(|(place, _)| place.as_str())
        .find(|place| program.windows(place.len()).any(|part| part == place.as_bytes()))
}

/// Where cargo puts the program.
pub(crate) fn path(target: &Target, profile: &str, folder: &Path) -> PathBuf {
    let built = if profile == "dev" { "debug" } else { profile };
    folder.join(target.triple).join(built).join(target.program)
}

/// Folders of this machine that could get into the program, and what stands for them; if one is in another, it comes later.
fn names(folder: &Path) -> Result<Vec<(String, String)>> {
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let home = home.context("cargo has no home here")?;
    let sysroot = captured(Command::new("rustc").args(["--print", "sysroot"]))?;
    let about = captured(Command::new("rustc").arg("-vV"))?;
    let commit = about.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.context("`rustc -vV` names no commit")?;
    let library = format!("{}/lib/rustlib/src/rust", sysroot.trim());
    let text = |path: &Path| path.display().to_string();
    Ok(vec![
        (text(&home), "/cargo".to_owned()),
        (library, format!("/rustc/{commit}")),
        (text(&root()), "/lakebase".to_owned()),
        (text(folder), "/target".to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_name_a_folder_of_this_machine_are_found() {
        let names = ["/src", "/home/a/lakebase", "/home/a/lakebase/target"];
        let names = names.map(|place| (place.to_owned(), String::new()));
        assert_eq!(told(b"..in /home/a/lakebase/src/lib.rs..", &names), Some("/home/a/lakebase"));
        assert_eq!(told(b"..in /lakebase/src/lib.rs, /cargo/x/src/lib.rs..", &names), None);
    }
}
