//! The commands, one file each.

pub(crate) mod emulator;
pub(crate) mod query;
