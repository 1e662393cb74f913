//! Effects of the Lakebase connector on tokio, smol and async-std.
//!
//! [`lakebase_core::Runtime`] is a struct of small traits: clocks, timers, tasks, connections, HTTP, host
//! names, programs and local sockets. This crate makes one for each async runtime, and one that chooses by itself.
//!
//! | Feature        | Constructor        | Timers, sockets | Tasks          | HTTP    |
//! |----------------|--------------------|-----------------|----------------|---------|
//! | `tokio`        | `tokio()`          | tokio           | tokio          | hyper   |
//! | `smol`         | `smol()`           | async-io        | smol           | hyper   |
//! | `async-std`    | `async_std()`      | async-io        | async-std      | hyper   |
//! | `http-reqwest` | `Options::reqwest` | tokio           | tokio          | reqwest |
//! | `http-surf`    | `Options::surf`    | as the runtime  | as the runtime | surf    |
//!
//! The feature `tokio-io` has `TokioIo`, which gives tokio's streams the I/O traits of the crate `futures`, and no constructor.
//!
//! Features are additive and none is a default. With several, `auto()` decides at every call. Without a
//! runtime there are only [`Options`], [`SystemClock`], [`extra_roots_pem`] and the pure parts of [`dns`]:
//! implement the traits of [`lakebase_core::effect`] yourself.
//!
//! Nothing here needs a runtime to be *constructed*. A handle may outlive the tokio runtime it was used on
//! and be used on another.
//!
//! # TLS
//!
//! rustls with `ring`. Trusted are Mozilla's roots as compiled in, the platform's certificates (or, instead
//! of the platform's, the file that `SSL_CERT_FILE` names) and those of
//! [`Options::root_certificates_pem`]. Verification cannot be switched off.
//!
//! # Proxies
//!
//! HTTP goes through the proxies of [`Options::proxies`], by `CONNECT` with TLS inside; nothing is read from
//! the process's environment. Which of them carries a request, and which hosts are never proxied, says
//! [`Proxies`]. A failure there has a [`ProxyError`] among its sources.
//!
//! # surf
//!
//! The feature `http-surf` is for programs that are bound to surf. It is unmaintained; an audit of a
//! program with this feature reports RUSTSEC-2025-0036 and RUSTSEC-2026-0169 (surf), RUSTSEC-2025-0052
//! (async-std), RUSTSEC-2026-0174 (http-types), RUSTSEC-2026-0097 (rand 0.7), RUSTSEC-2024-0384 (instant),
//! RUSTSEC-2020-0056 (stdweb) and RUSTSEC-2021-0059, -0060 and -0064 (old AES crates). Its TLS is the
//! platform's native one (OpenSSL on Linux), which does not know [`Options::root_certificates_pem`]. It
//! logs whole requests, with the tokens in their headers, at level `trace` of the crate `log`; so nothing is
//! sent while the program's logger takes the target `async_h1::client` at that level. It knows no proxies: a
//! request that would go through one is an error.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg(not(all(target_family = "wasm", target_os = "unknown")))]

#[cfg(feature = "_runtime")]
mod assemble;
#[cfg(feature = "_async-io")]
mod async_io;
#[cfg(feature = "async-std")]
mod async_std;
#[cfg(feature = "_runtime")]
mod auto;
mod clock;
#[cfg(feature = "_runtime")]
mod dial;
pub mod dns;
#[cfg(feature = "_runtime")]
mod failure;
#[cfg(unix)]
mod folder;
#[cfg(feature = "_runtime")]
mod hosts;
#[cfg(feature = "_runtime")]
mod http;
#[cfg(feature = "_runtime")]
mod listen;
#[cfg(feature = "_runtime")]
mod net;
mod options;
pub mod platform;
#[cfg(feature = "_runtime")]
mod process;
mod proxies;
#[cfg(any(feature = "_runtime", unix))]
mod random;
mod roots;
#[cfg(feature = "smol")]
mod smol;
#[cfg(all(feature = "_runtime", feature = "http-surf"))]
mod surf;
#[cfg(feature = "tokio")]
mod tokio;
#[cfg(feature = "tokio-io")]
mod tokio_io;
#[cfg(feature = "_runtime")]
mod trust;

#[cfg(feature = "_runtime")]
pub use auto::auto;
pub use clock::SystemClock;
pub use dns::parse_servers;
#[cfg(unix)]
pub use folder::PrivateFolder;
pub use options::Options;
pub use proxies::{Proxies, Proxy, ProxyError, ProxyProblem};
pub use roots::extra_roots_pem;

#[cfg(feature = "async-std")]
pub use self::async_std::{async_std, async_std_with};
#[cfg(feature = "smol")]
pub use self::smol::{smol, smol_with};
#[cfg(feature = "tokio")]
pub use self::tokio::{tokio, tokio_with};
#[cfg(feature = "tokio-io")]
pub use self::tokio_io::TokioIo;

/// Compiles the examples of the README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
