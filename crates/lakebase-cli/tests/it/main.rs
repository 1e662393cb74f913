//! The built binary `lakebase` against the emulator: results, exit codes, errors, secrets.

#![cfg(unix)]

mod commands;
mod demo;
mod emulator;
mod errors;
mod support;
