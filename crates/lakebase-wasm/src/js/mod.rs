//! The interface to JavaScript: the only part that needs an engine.
//!
//! No export is `async` and none panics: each returns a promise made here, which is rejected with an `Error`.

#[cfg(feature = "cache")]
mod cache;
#[cfg(any(feature = "mint", feature = "cache"))]
mod call;
mod effects;
#[cfg(any(feature = "mint", feature = "cache"))]
mod error;
#[cfg(feature = "mint")]
mod mint;
#[cfg(any(feature = "mint", feature = "cache"))]
mod options;
#[cfg(feature = "mint")]
mod rehearsal;
#[cfg(any(feature = "mint", feature = "cache"))]
mod values;

#[cfg(feature = "cache")]
pub use cache::LakebaseCredentials;
#[cfg(feature = "mint")]
pub use mint::mint_database_credential;
