//! The invariants, as data.

use super::graph::Selection;

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

/// Pools for tokio-postgres, which only their users pay for.
const POOLS: &[&str] = &["deadpool", "deadpool-postgres", "bb8"];

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
        what: "other runtime or driver",
        names: &[ASYNC_STD, SMOL, ASYNC_IO, SURF, HEAVY, &["tokio-postgres"], POOLS],
        present: &["tokio/rt", "tokio/net", "sqlx"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "sqlx,async-std"),
        what: "other runtime or driver",
        names: &[TOKIO_RUNTIME, TOKIO_FAMILY, SMOL, SURF, HEAVY, &["tokio-postgres"], POOLS],
        present: &["async-std", "sqlx"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "sqlx,smol"),
        what: "other runtime or driver",
        names: &[TOKIO_RUNTIME, TOKIO_FAMILY, ASYNC_STD, SURF, HEAVY, &["tokio-postgres"], POOLS],
        present: &["async-io", "sqlx"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "tokio,tokio-postgres"),
        what: "other runtime, other driver or pool",
        names: &[ASYNC_STD, SMOL, ASYNC_IO, SURF, HEAVY, &["sqlx-core"], POOLS],
        present: &["tokio/rt", "tokio/net", "tokio-postgres"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "async-std,tokio-postgres"),
        what: "other runtime, other driver or pool",
        names: &[TOKIO_RUNTIME, TOKIO_FAMILY, SMOL, SURF, HEAVY, &["sqlx-core"], POOLS],
        present: &["async-std", "tokio-postgres"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "smol,tokio-postgres"),
        what: "other runtime, other driver or pool",
        names: &[TOKIO_RUNTIME, TOKIO_FAMILY, ASYNC_STD, SURF, HEAVY, &["sqlx-core"], POOLS],
        present: &["async-io", "tokio-postgres"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "tokio,deadpool"),
        what: "other runtime, other driver or pool",
        names: &[ASYNC_STD, SMOL, ASYNC_IO, SURF, HEAVY, &["sqlx-core", "bb8"]],
        present: &["tokio/rt", "deadpool-postgres"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "smol,deadpool"),
        what: "other executor, other driver or pool",
        names: &[TOKIO_FAMILY, ASYNC_STD, SURF, HEAVY, &["sqlx-core", "bb8", "tokio/macros"]],
        present: &["async-io", "deadpool-postgres"],
    },
    AbsentRule {
        of: Selection::new("lakebase", "bb8"),
        what: "other runtime, other driver or pool",
        names: &[ASYNC_STD, SMOL, ASYNC_IO, SURF, HEAVY, &["sqlx-core", "deadpool"]],
        present: &["tokio/rt", "bb8"],
    },
    AbsentRule {
        of: Selection::new("lakebase-tokio-postgres", ""),
        what: "runtime, other driver, pool or HTTP crate",
        names: &[
            TOKIO_RUNTIME,
            ASYNC_STD,
            SMOL,
            ASYNC_IO,
            HEAVY,
            POOLS,
            &["reqwest", "hyper", "sqlx-core", "lakebase-workspace", "lakebase-runtime"],
        ],
        present: &["tokio-postgres", "lakebase-session"],
    },
    AbsentRule {
        of: Selection::new("lakebase-session", ""),
        what: "runtime, driver or HTTP crate",
        names: &[
            RUNTIMES,
            HEAVY,
            &[
                "reqwest",
                "hyper",
                "sqlx",
                "tokio-postgres",
                "lakebase-workspace",
                "lakebase-runtime",
            ],
        ],
        present: &["rustls", "lakebase-core"],
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
        present: &["tokio/net", "rustls", "lakebase-session"],
    },
];

pub(super) const AT_MOST: &[AtMostRule] =
    &[AtMostRule { of: Selection::new("lakebase-core", ""), limit: 30 }];

pub(super) const SQLX: OverSqlxRule =
    OverSqlxRule { of: Selection::new("lakebase", "sqlx,tokio"), extra: 25, goal: 15 };

/// Crates that are the same on every platform: those that differ are runtime, proxy and command, and those for tests.
pub(super) const PORTABLE: &[&str] = &[
    "lakebase-core",
    "lakebase-workspace",
    "lakebase-session",
    "lakebase-sqlx",
    "lakebase-tokio-postgres",
    "lakebase",
    "lakebase-wasm",
];
/// What asks which platform it is. Browsers and workers (`wasm`, `unknown`) are no platform but a target.
pub(super) const PLATFORM: &[&str] = &[
    "cfg(unix",
    "cfg!(unix",
    "(unix,",
    ", unix)",
    "not(unix",
    "cfg(windows",
    "cfg!(windows",
    "(windows,",
    ", windows)",
    "not(windows",
    "os::unix",
    "os::windows",
    "target_vendor",
    "target_os = \"linux",
    "target_os = \"macos",
    "target_os = \"windows",
];

/// Crates whose public signatures name no type of [`PRIVATE`] libraries.
pub(super) const PUBLIC: &[&str] = &[
    "lakebase",
    "lakebase-core",
    "lakebase-emulator",
    "lakebase-proxy",
    "lakebase-runtime",
    "lakebase-sqlx",
    "lakebase-tokio-postgres",
    "lakebase-wasm",
    "lakebase-workspace",
];
pub(super) const PRIVATE: &[&str] =
    &["reqwest", "hyper", "hyper_util", "surf", "rustls", "tokio_rustls"];
