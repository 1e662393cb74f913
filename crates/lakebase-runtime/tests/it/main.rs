//! The conformance suites on every runtime that is compiled in, and what only this crate promises.
#![cfg(any(feature = "tokio", feature = "smol", feature = "async-std"))]
#![cfg_attr(feature = "_runtime", expect(clippy::unwrap_used, reason = "helpers of tests"))]

mod proxies;
mod socks;
mod suites;
#[cfg(feature = "http-surf")]
mod surf_logs;
mod tls;
mod tls_server;
#[cfg(feature = "tokio")]
mod tokio_context;
