//! The client, its identities and its configuration against scripted effects.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod auth;
mod azure;
mod calls;
mod config;
mod federation;
mod google;
mod host_search;
mod retries;
mod services;
mod support;
