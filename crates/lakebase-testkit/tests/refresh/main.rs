//! The refresh cache against a scripted service, in fake time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod background;
mod flights;
mod histories;
mod phases;
mod world;
