//! `cargo xtask provision`: fetches what the test matrix and the demo need, with the ordinary package clients, and says what it does.
//!
//! Everything but system packages and Rust targets goes to `target/tools`; tools that exist already are used as they are. Progress goes to stderr, so
//! that callers own stdout.

mod chromium;
mod cross;
mod migrations;
mod netns;
mod package;
mod postgres;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde::de::IntoDeserializer as _;

pub use self::netns::provide as netns;
pub use self::package::Package;
use crate::Outcome;
use crate::process::{captured, describe, shown};
use crate::system::{Doing, Failure, target_dir};

/// Python packages, pinned.
const PYTHON: &[&str] =
    &["databricks-sdk==0.162.0", "psycopg[binary]==3.3.9", "psycopg-pool==3.3.3"];
/// Python packages that read tables as Arrow, pinned.
const ARROW: &[&str] = &["adbc-driver-postgresql==1.13.0", "connectorx==0.4.6", "pyarrow==26.0.1"];
/// npm packages, pinned.
const NODE: &[&str] = &[
    "@databricks/lakebase@0.6.0",
    "@databricks/sdk-experimental@0.17.0",
    "esbuild@0.28.2",
    "pg@8.18.0",
];
/// npm packages that make one file of a program, and those that judge a package, pinned; this tsup is the newest for Node 20.
const BUNDLERS: &[&str] = &[
    "@arethetypeswrong/cli@0.18.5",
    "@rollup/plugin-node-resolve@16.0.3",
    "@vercel/ncc@0.45.0",
    "esbuild@0.28.2",
    "publint@0.3.25",
    "rollup@4.68.8",
    "tsup@8.5.1",
    "webpack@5.113.0",
];
/// JavaScript runtimes, pinned; this workerd is the newest that npm has for every platform.
const EDGE: &[&str] = &["workerd@1.20261023.1", "deno@2.9.6", "bun@1.4.5"];
/// The proxy of the tests that log in through one.
const TINYPROXY: Package = Package { program: "tinyproxy", apt: "tinyproxy", brew: "tinyproxy" };
/// The library that diesel links.
const LIBPQ: Package = Package { program: "pg_config", apt: "libpq-dev", brew: "libpq" };
/// The same for SOCKS.
const MICROSOCKS: Package =
    Package { program: "microsocks", apt: "microsocks", brew: "microsocks" };
/// Gives a program host names of its own.
const NSS_WRAPPER: Package =
    Package { program: "libnss_wrapper.so", apt: "libnss-wrapper", brew: "nss_wrapper" };
const WASM: &str = "wasm32-unknown-unknown";

/// Something that is not part of Rust's own installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// A Postgres server.
    Postgres,
    /// The standard library for `wasm32-unknown-unknown`.
    Wasm,
    /// A virtual environment with the official Python clients.
    Python,
    /// A virtual environment with packages that read tables as Arrow.
    Arrow,
    /// The official npm packages, the Postgres driver `pg`, and a bundler.
    Node,
    /// JavaScript runtimes other than Node.
    Edge,
    /// Bundlers, and what judges npm packages.
    Bundlers,
    /// A browser.
    Chromium,
    /// What counts instructions.
    Valgrind,
    /// An HTTP proxy and a SOCKS proxy.
    Proxies,
    /// Network namespaces, and the program that makes links between them.
    Netns,
    /// The C library of Postgres, with what programs link it by.
    Libpq,
    /// A C compiler for Windows, and Wine.
    Windows,
    /// A C compiler for static programs.
    Musl,
    /// C compilers for Windows and for static programs.
    Compilers,
    /// A C compiler for macOS and other processors.
    Zig,
    /// The commands of Rust's tools for migrations.
    Migrations,
}

/// Variables that tell later commands where a tool is.
pub type Variables = Vec<(String, String)>;

/// Makes a tool available, fetching it if it is not there.
///
/// The error says what was tried and what a person can do.
pub fn provide(tool: Tool) -> Result<Variables, Failure> {
    match tool {
        Tool::Postgres => postgres::provide(None)
            .map(|bin| vec![(postgres::VARIABLE.to_owned(), bin.display().to_string())]),
        Tool::Wasm => target(WASM).map(|()| Vec::new()),
        Tool::Python => python().map(|_| Vec::new()),
        Tool::Arrow => venv("arrow", ARROW).map(|_| Vec::new()),
        Tool::Node => node().map(|_| Vec::new()),
        // Their programs are in packages of their own, which npm chooses by platform.
        Tool::Edge => packages("edge", EDGE, &["--ignore-scripts"]).map(|_| Vec::new()),
        Tool::Bundlers => bundlers().map(|_| Vec::new()),
        Tool::Chromium => chromium::provide()
            .map(|program| vec![(chromium::VARIABLE.to_owned(), program.display().to_string())]),
        Tool::Valgrind => valgrind().map(|_| Vec::new()),
        Tool::Proxies => [TINYPROXY, NSS_WRAPPER, MICROSOCKS]
            .into_iter()
            .try_for_each(|package| package.provide().map(drop))
            .map(|()| Vec::new()),
        Tool::Netns => netns::provide().map(|_| Vec::new()),
        Tool::Libpq => LIBPQ.provide().map(|_| Vec::new()),
        Tool::Windows => cross::windows(),
        Tool::Musl => cross::musl(),
        Tool::Compilers => cross::compilers(),
        Tool::Zig => cross::zig(),
        Tool::Migrations => migrations::provide().map(|_| Vec::new()),
    }
}

/// The tool of that name.
fn tool(name: &str) -> Result<Tool, Failure> {
    Tool::deserialize(name.into_deserializer())
        .map_err(|error: serde::de::value::Error| Failure::usage(format!("provision: {error}")))
}

/// What demo and most tests need, which is fetched where nothing is named.
const USUAL: &[&str] =
    &["wasm", "postgres", "python", "node", "edge", "bundlers", "chromium", "valgrind"];

/// `provision [postgres [--from SOURCE] | NAME]...`; without arguments, what the demo and most tests need.
pub(crate) fn command(args: &[&str]) -> Outcome {
    // There is no valgrind elsewhere.
    let usual = if cfg!(target_os = "linux") { USUAL } else { &USUAL[..USUAL.len() - 1] };
    let args = if args.is_empty() { usual } else { args };
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        if *arg == "postgres" && args.next_if(|next| **next == "--from").is_some() {
            let source = args.next().copied().unwrap_or_default();
            println!("{arg}: {}", postgres::provide(Some(source))?.display());
            continue;
        }
        // As a shell takes them before a command.
        let variables = provide(tool(arg)?)?;
        let variables: String =
            variables.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        println!("{arg}: ready{variables}");
    }
    Ok(true)
}

/// The folder of fetched tools.
fn tools() -> PathBuf {
    target_dir().join("tools")
}

fn say(what: &str) {
    eprintln!("provision: {what}");
}

/// Says what is run, then runs it.
fn act(command: &mut Command) -> Result<(), Failure> {
    say(&describe(command));
    shown(command)
}

/// Whether a program can be started at all.
fn exists(program: &str) -> bool {
    captured(Command::new(program).arg("--version")).is_ok()
}

/// Rust's own library for a target.
fn target(name: &str) -> Result<(), Failure> {
    let library =
        captured(Command::new("rustc").args(["--print", "target-libdir", "--target", name]))?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    act(Command::new("rustup").args(["target", "add", name])).map_err(|error| {
        Failure::new(format!(
            "no standard library for {name} and no rustup that could add it ({error})"
        ))
    })
}

/// The program; there is none for macOS and Windows.
pub(crate) fn valgrind() -> Result<PathBuf, Failure> {
    Package { program: "valgrind", apt: "valgrind", brew: "valgrind" }.provide()
}

/// The Python of the virtual environment.
pub fn python() -> Result<PathBuf, Failure> {
    venv("python", PYTHON)
}

/// The Python of the virtual environment `name`, in which `packages` are.
fn venv(name: &str, packages: &[&str]) -> Result<PathBuf, Failure> {
    let folder = tools().join(name);
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    once(&folder, packages, || {
        act(Command::new(system_python()?).args(["-m", "venv"]).arg(&folder)).map_err(|error| {
            Failure::new(format!("{error}; on Debian, install the package python3-venv"))
        })?;
        act(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages))
    })?;
    Ok(python)
}

/// The Python of the machine.
fn system_python() -> Result<&'static str, Failure> {
    let found = ["python3", "python"].into_iter().find(|name| exists(name));
    found.ok_or_else(|| Failure::new("no python3 on the PATH; install Python 3.10 or newer"))
}

/// The folder whose `node_modules` holds the package.
pub fn node() -> Result<PathBuf, Failure> {
    packages("node", NODE, &[])
}

/// The folder whose `node_modules` holds the bundlers.
pub fn bundlers() -> Result<PathBuf, Failure> {
    // Each npm package holds its program or gets it by one that npm chooses by platform.
    packages("bundlers", BUNDLERS, &["--ignore-scripts"])
}

/// Where [`Tool::Edge`] is put.
pub fn edge_folder() -> PathBuf {
    tools().join("edge")
}

/// The folder `name` of the tools, whose `node_modules` holds `packages`.
fn packages(name: &str, packages: &[&str], flags: &[&str]) -> Result<PathBuf, Failure> {
    let folder = tools().join(name);
    if !exists("node") {
        return Err(Failure::new("no node on the PATH; install Node.js 20 or newer"));
    }
    once(&folder, packages, || npm(&folder, &[flags, packages].concat()))?;
    Ok(folder)
}

fn npm(folder: &Path, packages: &[&str]) -> Result<(), Failure> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if !exists(npm) {
        return Err(Failure::new("no npm on the PATH; install Node.js 20 or newer"));
    }
    act(Command::new(npm)
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arg(folder)
        .args(packages))
}

/// Runs `install` unless `folder` was filled with the same `contents` before; half-done installations are thrown away.
fn once(
    folder: &Path,
    contents: &[&str],
    install: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stamp = folder.join(".provisioned");
    let wanted = contents.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).doing(format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).doing(format!("create {}", folder.display()))?;
    install()?;
    fs::write(&stamp, wanted).doing(format!("write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_contents_are_installed_once() {
        let folder = std::env::temp_dir().join(format!("xtask-once-{}", std::process::id()));
        let mut runs = 0;
        let mut install = |contents: &[&str], works: bool| {
            once(&folder, contents, || {
                runs += 1;
                assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "starts empty");
                fs::write(folder.join("file"), "").unwrap();
                if works { Ok(()) } else { Err(Failure::new("registry unreachable")) }
            })
        };
        assert!(install(&["a==1"], false).is_err());
        install(&["a==1"], true).unwrap();
        install(&["a==1"], true).unwrap();
        install(&["a==2"], true).unwrap();
        assert_eq!(runs, 3);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_fetched_without_a_name_has_one() {
        for name in USUAL {
            tool(name).unwrap();
        }
    }

    #[test]
    fn unknown_tools_and_sources_are_usage_errors() {
        assert_eq!(command(&["rubies"]).unwrap_err().exit_code(), 2);
        assert_eq!(command(&["postgres", "--from", "floppy"]).unwrap_err().exit_code(), 2);
    }
}
