//! Decides when a value that expires is fetched, and hands it out.

mod cache;
mod credential;

pub use cache::{Cache, Demand, Expires, Generation, Held, Origin};
pub use credential::CredentialCache;
