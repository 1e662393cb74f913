//! Lakebase credentials over HTTP for workers, edge functions and browsers.
//!
//! Two ways in: the npm package `lakebase-wasm` (its types are in `npm/index.d.ts`), and this crate as a Rust
//! dependency of a program that is itself compiled for `wasm32-unknown-unknown`:
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
//! [`Workspace`] is a [`CredentialSource`](lakebase_core::CredentialSource); on it rest [`Credentials`], which requests of
//! a worker share, and core's own [`CredentialCache`](lakebase_core::refresh::CredentialCache), for programs with one context
//! ([`Effects::runtime`]). Nothing is `Send` on the wasm target. The example `worker-rust` is a whole
//! Cloudflare Worker that logs in with these credentials and `tokio-postgres`.
//!
//! Features `mint` and `cache` add what JavaScript calls: the function that mints once, and the class that caches. They
//! are for the npm package; a Rust program leaves them out, and then exports nothing of this crate. Some JavaScript comes
//! along as ES modules, which wasm-bindgen's targets `no-modules` and `nodejs` do not take.
//!
//! Invariants: no clock, no randomness and no request before the first call; between requests only data is
//! shared, never futures or promises; secrets go to the configured host only, and redirects are not followed;
//! bad input is an error and never a panic, because a promise whose task panicked would never settle.
//!
//! Refreshing follows [`lakebase_core::refresh::Machine`]. The client is an own one: `lakebase-workspace` shares
//! futures between callers, which workers do not allow, and its types (`http`, untyped JSON with floats) make the
//! module three times as large. Everything but the functions that JavaScript sees also runs natively, which is
//! how it is tested.

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

pub use credentials::{Credentials, Login, Patience};
pub use host::Host;
pub use settings::{Identity, Settings, TokenProvider, target};
pub use wire::{Fetch, Reply, Request};
pub use workspace::{Effects, Workspace};
