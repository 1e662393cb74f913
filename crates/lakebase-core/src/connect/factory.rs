//! The driver's side of a login.

use std::error::Error as StdError;

use async_trait::async_trait;

use crate::{ConnectParams, ErrorKind, MaybeSend, MaybeSync};

/// What a failed login means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectFailure {
    /// The password was refused: a fresh token may help, once.
    AuthRejected,
    /// The compute is starting; the same login works soon.
    Waking,
    /// The network or the server failed in a way that usually passes.
    Transient,
    /// The server knows no endpoint of the name that it was asked for: it was deleted, or has another host now.
    UnknownEndpoint,
    /// The same login fails every time, for a reason of this kind.
    Permanent(ErrorKind),
}

/// Opens authenticated connections with one particular Postgres driver.
///
/// Unlike the other traits this one has associated types: the connection belongs to the driver, and
/// erasing it would take away the driver's own API.
///
/// # Contract
///
/// - One call, one login: no retries, no time-out; [`connect`](crate::connect) does both.
/// - TLS as [`ConnectParams::tls`] says, with `host` as SNI and verified name even if `addresses` are given.
/// - **Cancellation:** dropping the future closes the socket.
/// - **Secrecy:** neither `Debug` output nor an error may contain the password.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait ConnectionFactory: std::fmt::Debug + MaybeSend + MaybeSync {
    /// The driver's connection.
    type Connection: MaybeSend + 'static;
    /// The driver's error, passed through untouched.
    type Error: StdError + Send + Sync + 'static;

    /// Opens one connection and logs in.
    ///
    /// # Errors
    ///
    /// Whatever the driver reports.
    async fn connect(&self, params: &ConnectParams) -> Result<Self::Connection, Self::Error>;

    /// What `error` means for the next step.
    fn classify(&self, error: &Self::Error) -> ConnectFailure;
}
