//! Everything together, from outside: the public API of `lakebase` against the emulator, on every runtime.
//!
//! A test is an `async fn` listed in its module's `on_each_runtime!`; its name ends with the runtime's. No
//! test reads the process environment or waits for time to pass; those that disturb others have an
//! emulator of their own.

#![cfg(any(feature = "tokio", feature = "async-std", feature = "smol"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so do its helpers")]

mod psql;
#[macro_use]
mod support;

mod bad_input;
mod bad_server;
mod connection_strings;
mod contracts;
mod dns;
mod ended;
mod endpoints;
mod handed_over;
mod http_proxy;
mod identities;
mod leaks;
mod log;
// Other runtimes and HTTP clients have numbers of their own.
#[cfg(all(
    feature = "tokio",
    not(any(
        feature = "async-std",
        feature = "smol",
        feature = "http-reqwest",
        feature = "http-surf"
    ))
))]
mod memory;
#[cfg(feature = "proxies")]
mod microsocks;
#[cfg(all(feature = "netns", target_os = "linux"))]
mod netns;
#[cfg(target_os = "linux")]
mod network;
#[cfg(feature = "tokio")]
mod observing;
mod on_behalf_of;
mod own_parts;
mod passwords;
mod patterns;
mod pool;
mod requests;
mod rotation;
mod scenarios;
mod secrets;
#[cfg(feature = "soak")]
mod soak;
mod socks;
#[cfg(feature = "proxies")]
mod tinyproxy;
mod tokio_postgres;
mod tunnel;
mod wake;
