//! The commands, one file each.

pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod emulator;
pub(crate) mod endpoints;
pub(crate) mod man;
mod place;
pub(crate) mod proxy;
pub(crate) mod query;
pub(crate) mod token;
pub(crate) mod url;
