//! The Postgres gateway: TLS, routing by host name, login, then bytes through to the real Postgres.
//!
//! Invariant: a token is looked at during login only; an open session outlives it, as in the service.

mod login;
mod session;
mod wire;

pub(crate) use login::{Decision, Route, decide, route};
pub(crate) use session::serve;
