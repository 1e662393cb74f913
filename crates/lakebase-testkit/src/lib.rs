//! Fake time, mocks, scenarios and conformance suites for the connector's own tests; never published.
//!
//! | For | use |
//! |---|---|
//! | clocks and timers moved by hand | [`FakeTime`] |
//! | tasks without a runtime, in a fixed order | [`FakeSpawn`] |
//! | a [`Runtime`](lakebase_core::Runtime) of both | [`fake_runtime`], [`fake_executor`] |
//! | a service that follows a script | [`ScriptedOrigin`] |
//! | addresses that swallow packets | `network` |
//! | an address where nobody listens | `RefusingAddress` |
//! | refresh scenarios from a file, on any runtime | [`scenario`] |
//! | a fleet over a month | [`simulation`] |
//! | passwords in URLs, and whether a text shows one | [`passwords`] |
//! | expectations about calls | [`mocks`] |
//! | what an error says | [`assert_error`] |
//! | services with names of their own, played by one server | [`RedirectedHttp`] |
//! | what every implementation of a trait must do | [`conformance`] |
//! | a server that misbehaves during a login | `bad_server` |
//!
//! It compiles for browsers and workers too, without `bad_server`, `network` and `RefusingAddress`, and without `mocks` and `RedirectedHttp`, which must be `Send`.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub mod bad_server;
pub mod conformance;
mod errors;
mod executor;
mod idle;
#[cfg(target_os = "linux")]
pub mod memory;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub mod mocks;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub mod network;
mod origin;
pub mod passwords;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod redirected_http;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod refusing;
mod runtime;
pub mod scenario;
pub mod simulation;
mod time;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use errors::assert_error;
pub use executor::FakeSpawn;
pub use idle::TrackedSpawn;
pub use origin::{Answer, Reply, ScriptedOrigin};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use redirected_http::RedirectedHttp;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use refusing::RefusingAddress;
pub use runtime::{Unexpected, fake_executor, fake_runtime};
pub use time::{EPOCH, FakeTime};

/// What a thread that panicked has left is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
