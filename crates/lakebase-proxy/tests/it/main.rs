//! A proxy in front of the emulator's real Postgres: clients, refusals, hostile input.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

mod cancel;
mod clients;
mod contract;
mod doors;
mod drain;
mod drivers;
mod first_bytes;
mod hostile;
mod pool_cancels;
mod pool_leaks;
mod pooling;
mod support;
