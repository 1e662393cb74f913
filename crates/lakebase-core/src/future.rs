//! The only target switch: whether futures and trait objects must be `Send`.
//!
//! On `wasm*-unknown-unknown` futures wait on JavaScript promises, which cannot cross threads, so the
//! bound is dropped there. The switch follows the *target*, never a Cargo feature: features are unified
//! over the dependency graph, so a feature could silently take `Send` from somebody else's build.
//!
//! Traits that exist on both kinds of target carry the matching pair of attributes
//! (`async_trait` natively, `async_trait(?Send)` there).

use std::future::Future;
use std::pin::Pin;

/// A boxed future that is `Send` wherever threads exist.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed future; not `Send`, because it may wait on a JavaScript promise.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod bounds {
    /// `Send` wherever threads exist, no bound in browsers and workers.
    pub trait MaybeSend: Send {}
    impl<T: Send + ?Sized> MaybeSend for T {}

    /// `Sync` wherever threads exist, no bound in browsers and workers.
    pub trait MaybeSync: Sync {}
    impl<T: Sync + ?Sized> MaybeSync for T {}
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod bounds {
    /// `Send` wherever threads exist, no bound in browsers and workers.
    pub trait MaybeSend {}
    impl<T: ?Sized> MaybeSend for T {}

    /// `Sync` wherever threads exist, no bound in browsers and workers.
    pub trait MaybeSync {}
    impl<T: ?Sized> MaybeSync for T {}
}

pub use bounds::{MaybeSend, MaybeSync};
