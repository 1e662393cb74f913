//! Lakebase credentials over HTTP for workers, edge functions and browsers.
//!
//! Use the npm package `lakebase-wasm` (its types are in `npm/index.d.ts`), or this crate as a dependency of a
//! Rust program for `wasm32-unknown-unknown`:
//!
//! ```no_run
//! # async fn mint(effects: lakebase_wasm::Effects) -> lakebase_core::Result<()> {
//! use lakebase_wasm::{Credentials, Identity, Settings, target};
//!
//! let identity = Identity::ServicePrincipal {
//!     client_id: "7f0c3f0e-0b6c-4f5e-9d7b-0c1a2b3c4d5e".into(),
//!     client_secret: "dose…".into(),
//! };
//! let target = target(None, Some("shop"), None)?;
//! let settings = Settings::new("dbc-1234.cloud.databricks.com".parse()?, identity, target);
//! // On the wasm target, `Effects::javascript()`: `fetch`, `Date` and `setTimeout`.
//! let credentials = Credentials::new(settings, effects)?;
//! let login = credentials.get().await?;
//! # let _ = login; Ok(()) }
//! ```
//!
//! [`Workspace`] is a [`CredentialSource`](lakebase_core::CredentialSource). [`Credentials`] caches it for requests of a
//! worker, core's [`CredentialCache`](lakebase_core::CredentialCache) for programs with one context
//! ([`Effects::runtime`]). Nothing is `Send` on the wasm target. The example `worker-rust` is a whole
//! Cloudflare Worker that logs in with these credentials and `tokio-postgres`.
//!
//! Features `mint` and `cache` export to JavaScript: the function that mints once, and the class that caches. They
//! are for the npm package. A Rust program leaves them out. Some JavaScript is included as ES modules, which
//! wasm-bindgen's targets `no-modules` and `nodejs` do not support.
//!
//! Invariants: no clock, randomness or request before the first call. Requests share data, never futures or
//! promises. Secrets go to the configured host only, and redirects are not followed. Bad input is an error and
//! never a panic, because a promise whose task panicked would never settle.
//!
//! The refresh follows [`lakebase_core::refresh::Machine`]. The client is not `lakebase-workspace`: that shares
//! futures between callers, which workers do not allow, and its types (`http`, untyped JSON with floats) make the
//! module three times as large. Everything but the exports to JavaScript also runs natively, where it is tested.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bearer;
mod credentials;
mod host;
mod json;
mod runtime;
mod settings;
mod slot;
mod wire;
mod workspace;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod js;

#[cfg(all(feature = "cache", target_family = "wasm", target_os = "unknown"))]
pub use js::LakebaseCredentials;
#[cfg(all(feature = "mint", target_family = "wasm", target_os = "unknown"))]
pub use js::mint_database_credential;

pub use credentials::{Credentials, Login, WaitOptions};
pub use host::Host;
pub use settings::{Identity, Settings, TokenProvider, target};
pub use wire::{Fetch, Reply, Request};
pub use workspace::{Effects, Workspace};
