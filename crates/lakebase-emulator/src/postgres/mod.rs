//! The real Postgres behind the gateway: found, started, spoken to, and gone with its owner.
//!
//! Invariant: it listens on a Unix socket in a private folder only, and neither the process nor the
//! folder outlives the process that started it, even after SIGKILL.

mod find;
mod message;
mod process;
mod query;
mod supervise;
mod template;

pub(crate) use find::find;
pub(crate) use message::{read_message, startup};
pub(crate) use process::Postgres;
pub(crate) use query::{Admin, QueryError, ServerError, Transaction};

/// Statement that creates a login role.
pub(crate) fn create_role_sql(role: &str) -> String {
    format!("create role {} login", quote(role))
}

/// An identifier in double quotes; NUL, which no identifier may hold, is left out.
pub(crate) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('\0', "").replace('"', "\"\""))
}
