//! Whether futures and trait objects are `Send`. Nothing else depends on the target.
//!
//! On `wasm*-unknown-unknown` futures wait for JavaScript promises, which are not `Send`, so the bound is dropped there.
//! It depends on the *target* and not on a Cargo feature. Features are unified over the dependency graph, so a feature
//! could take `Send` from another crate's build.
//!
//! Traits for both kinds of target have the matching pair of attributes: `async_trait` natively, `async_trait(?Send)`
//! there.

use std::future::Future;
use std::pin::Pin;

/// A boxed future that is `Send` on targets with threads.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed future. It is not `Send`, because it may wait for a JavaScript promise.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod bounds {
    /// `Send` on targets with threads; no bound in browsers and workers.
    pub trait MaybeSend: Send {}
    impl<T: Send + ?Sized> MaybeSend for T {}

    /// `Sync` on targets with threads; no bound in browsers and workers.
    pub trait MaybeSync: Sync {}
    impl<T: Sync + ?Sized> MaybeSync for T {}
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod bounds {
    /// `Send` on targets with threads; no bound in browsers and workers.
    pub trait MaybeSend {}
    impl<T: ?Sized> MaybeSend for T {}

    /// `Sync` on targets with threads; no bound in browsers and workers.
    pub trait MaybeSync {}
    impl<T: ?Sized> MaybeSync for T {}
}

pub use bounds::{MaybeSend, MaybeSync};
