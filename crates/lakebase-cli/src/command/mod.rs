//! The commands, one file each.

mod child;
pub(crate) mod completions;
mod connection_parameters;
pub(crate) mod doctor;
pub(crate) mod emulator;
pub(crate) mod endpoints;
pub(crate) mod exec;
pub(crate) mod man;
pub(crate) mod proxy;
pub(crate) mod psql;
pub(crate) mod query;
pub(crate) mod token;
pub(crate) mod url;
