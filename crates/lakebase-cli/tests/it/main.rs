//! The built binary `lakebase` against the emulator: results, exit codes, errors, secrets.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

mod commands;
mod demo;
mod deploy;
mod doctor;
mod doctor_modes;
mod doctor_proxies;
mod emulator;
mod errors;
mod generated;
mod programs;
mod proxy;
mod proxy_admin;
mod proxy_log;
#[cfg(target_os = "linux")]
mod proxy_memory;
mod socks;
mod support;
mod terminal;
