//! The emulator over its sockets: gateway, workspace, DNS, faults, and the end of it all.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so do its helpers")]

mod client;
mod data_api;
mod dns;
mod gateway;
mod lifecycle;
mod suspend;
mod workspace;
