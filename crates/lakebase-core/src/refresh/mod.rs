//! Decides when a value that expires is fetched, and hands it out.

mod cache;

pub use cache::{Cache, Demand, Expires, Generation, Held, Origin};
