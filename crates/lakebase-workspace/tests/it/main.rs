//! The client, its identities and its configuration against scripted effects.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod auth;
mod calls;
mod config;
mod retries;
mod support;
