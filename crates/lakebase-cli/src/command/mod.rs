//! The commands, one file each.

#[cfg(unix)]
mod child;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod emulator;
pub(crate) mod endpoints;
#[cfg(unix)]
pub(crate) mod exec;
pub(crate) mod man;
mod place;
pub(crate) mod proxy;
#[cfg(unix)]
pub(crate) mod psql;
pub(crate) mod query;
pub(crate) mod token;
pub(crate) mod url;
