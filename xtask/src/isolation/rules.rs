//! The invariants, as data.

use std::fs;

use super::graph::{Graph, Selection};
use crate::process::captured;
use crate::system::{Doing, Failure, cargo, root, target_dir};

/// None of `names` may be in the graph of `of`, and all of `present` must be, so that the rule is about something.
///
/// A name `a/b` means package `a` with feature `b` on.
pub(super) struct AbsentRule {
    pub(super) of: Selection,
    pub(super) what: &'static str,
    pub(super) names: &'static [&'static [&'static str]],
    pub(super) present: &'static [&'static str],
}

/// The graph of `of` may hold so many packages beside itself.
pub(super) struct AtMostRule {
    pub(super) of: Selection,
    pub(super) limit: usize,
}

/// The graph of `of` may hold so many packages more than sqlx alone on the same runtime.
pub(super) struct OverSqlxRule {
    pub(super) of: Selection,
    pub(super) extra: usize,
    pub(super) goal: usize,
}

/// hyper uses tokio's channels (feature `sync`), which need no runtime; what starts or needs one is forbidden.
const TOKIO_RUNTIME: &[&str] = &[
    "tokio/rt",
    "tokio/rt-multi-thread",
    "tokio/net",
    "tokio/time",
    "tokio/process",
    "tokio/fs",
    "tokio/signal",
];
const ASYNC_STD: &[&str] = &["async-std", "async-global-executor"];
const SMOL: &[&str] = &["smol"];
const ASYNC_IO: &[&str] =
    &["async-io", "async-executor", "async-net", "async-process", "blocking", "polling"];
const TOKIO_FAMILY: &[&str] = &["reqwest", "hyper-util", "tokio-rustls", "hyper-rustls"];
const SURF: &[&str] = &["surf", "http-client", "isahc", "async-h1"];

/// Anything that runs futures, except for JavaScript's engines.
pub(super) const RUNTIMES: &[&str] = &[
    "tokio",
    "async-std",
    "async-global-executor",
    "smol",
    "async-io",
    "async-executor",
    "async-net",
    "async-process",
    "blocking",
    "polling",
    "mio",
    "socket2",
];
const JAVASCRIPT: &[&str] = &["wasm-bindgen-futures"];

/// Anything that speaks HTTP, TLS or Postgres.
pub(super) const HTTP_AND_TLS: &[&str] = &[
    "reqwest",
    "hyper",
    "hyper-util",
    "surf",
    "http-client",
    "isahc",
    "ureq",
    "h2",
    "rustls",
    "rustls-webpki",
    "tokio-rustls",
    "futures-rustls",
    "native-tls",
    "openssl",
    "openssl-sys",
    "ring",
    "aws-lc-rs",
    "sqlx",
    "sqlx-core",
    "sqlx-postgres",
    "tokio-postgres",
];

/// What does not fit an edge function.
const HEAVIER: &[&str] = &["lakebase-workspace", "lakebase-runtime", "lakebase-sqlx"];

/// C builds that users would notice.
const HEAVY: &[&str] = &["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"];

const WASM: &str = "wasm32-unknown-unknown";

pub(super) const ABSENT: &[AbsentRule] = &[
    AbsentRule {
        of: Selection::new("lakebase-core", ""),
        what: "runtime, TLS or HTTP crate",
        names: &[RUNTIMES, JAVASCRIPT, HTTP_AND_TLS],
        present: &[],
    },
    AbsentRule {
        of: Selection::new("lakebase-core", "").on(WASM),
        what: "runtime, TLS or HTTP crate",
        names: &[RUNTIMES, JAVASCRIPT, HTTP_AND_TLS],
        present: &[],
    },
    AbsentRule {
        of: Selection::new("lakebase-workspace", ""),
        what: "runtime, TLS or HTTP crate",
        names: &[RUNTIMES, JAVASCRIPT, HTTP_AND_TLS],
        present: &["lakebase-core"],
    },
    AbsentRule {
        of: Selection::new("lakebase-workspace", "").on(WASM),
        what: "runtime, TLS or HTTP crate",
        names: &[RUNTIMES, JAVASCRIPT, HTTP_AND_TLS],
        present: &["lakebase-core"],
    },
    AbsentRule {
        of: Selection::new("lakebase-wasm", "mint,cache").on(WASM),
        what: "runtime, TLS, HTTP or heavier crate of ours",
        names: &[RUNTIMES, HTTP_AND_TLS, HEAVIER],
        present: &["lakebase-core", "wasm-bindgen-futures"],
    },
    AbsentRule {
        of: Selection::new("lakebase-runtime", ""),
        what: "runtime",
        names: &[TOKIO_RUNTIME, ASYNC_STD, SMOL, ASYNC_IO, SURF],
        present: &["lakebase-core"],
    },
    AbsentRule {
        of: Selection::new("lakebase-runtime", "tokio"),
        what: "other runtime",
        names: &[ASYNC_STD, SMOL, ASYNC_IO, SURF, HEAVY],
        present: &["tokio/rt", "tokio/net"],
    },
    AbsentRule {
        of: Selection::new("lakebase-runtime", "async-std"),
        what: "other runtime",
        names: &[TOKIO_RUNTIME, TOKIO_FAMILY, SMOL, SURF, HEAVY],
        present: &["async-std"],
    },
    AbsentRule {
        of: Selection::new("lakebase-runtime", "smol"),
        what: "other runtime",
        names: &[TOKIO_RUNTIME, TOKIO_FAMILY, ASYNC_STD, SURF, HEAVY],
        present: &["async-io"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "sqlx,tokio"),
        what: "other runtime",
        names: &[ASYNC_STD, SMOL, ASYNC_IO, SURF, HEAVY],
        present: &["tokio/rt", "tokio/net", "sqlx"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "sqlx,async-std"),
        what: "other runtime",
        names: &[TOKIO_RUNTIME, TOKIO_FAMILY, SMOL, SURF, HEAVY],
        present: &["async-std", "sqlx"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "sqlx,smol"),
        what: "other runtime",
        names: &[TOKIO_RUNTIME, TOKIO_FAMILY, ASYNC_STD, SURF, HEAVY],
        present: &["async-io", "sqlx"],
    },
    AbsentRule {
        of: Selection::new("lakebase-proxy", ""),
        what: "other runtime, driver or HTTP crate",
        names: &[
            ASYNC_STD,
            SMOL,
            ASYNC_IO,
            SURF,
            HEAVY,
            &["reqwest", "hyper", "sqlx", "tokio-postgres", "lakebase-workspace"],
        ],
        present: &["tokio/net", "rustls", "postgres-protocol"],
    },
];

pub(super) const AT_MOST: &[AtMostRule] =
    &[AtMostRule { of: Selection::new("lakebase-core", ""), limit: 30 }];

pub(super) const SQLX: OverSqlxRule =
    OverSqlxRule { of: Selection::new("lakebase", "sqlx,tokio"), extra: 25, goal: 15 };

/// Crates whose public signatures name no type of these libraries.
pub(super) const PUBLIC: &[&str] = &["lakebase-core", "lakebase-workspace", "lakebase"];
pub(super) const PRIVATE_LIBRARIES: &[&str] = &["reqwest", "hyper", "surf", "rustls"];

/// What sqlx alone brings with tokio and rustls on ring: the graph of a package that depends on nothing else, resolved to our versions.
pub(super) fn baseline() -> Result<Graph, Failure> {
    let folder = target_dir().join("isolation/sqlx");
    fs::create_dir_all(folder.join("src")).doing(format!("create {}", folder.display()))?;
    let manifest = format!(
        "[package]\nname = \"baseline\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies.sqlx]\nversion = \"{}\"\n\
         default-features = false\nfeatures = [\"postgres\", \"runtime-tokio\", \"tls-rustls-ring-webpki\"]\n",
        sqlx_version()?
    );
    fs::write(folder.join("Cargo.toml"), manifest).doing("write the baseline manifest")?;
    fs::write(folder.join("src/lib.rs"), "").doing("write the baseline library")?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).doing("copy Cargo.lock")?;
    let mut command = cargo();
    command
        .args(["tree", "--quiet", "--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"])
        .current_dir(&folder);
    Ok(Graph::parse(&captured(&mut command)?))
}

/// The version in the root manifest, so that both graphs use the same one.
fn sqlx_version() -> Result<String, Failure> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).doing("read Cargo.toml")?;
    version_of(&manifest, "sqlx")
        .ok_or_else(|| Failure::new("[workspace.dependencies] names no version of sqlx"))
}

fn version_of(manifest: &str, package: &str) -> Option<String> {
    let line = manifest
        .lines()
        .find(|line| line.split_once('=').is_some_and(|(key, _)| key.trim() == package))?;
    let (_, rest) = line.split_once("version")?;
    rest.split('"').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_a_dependency_table() {
        let manifest = "sqlx-core = { version = \"1\" }\nsqlx = { version = \"0.9.0\", default-features = false }\n";
        assert_eq!(version_of(manifest, "sqlx").as_deref(), Some("0.9.0"));
        assert_eq!(version_of(manifest, "tokio"), None);
    }
}
