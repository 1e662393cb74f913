//! The trait that a Postgres driver implements.

use std::error::Error as StdError;

use async_trait::async_trait;

use crate::{ConnectParams, ErrorKind, MaybeSend, MaybeSync};

/// The class of a failed login, which decides whether it is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectFailure {
    /// The server refused the password. It is retried with another token, until one is refused that was requested after
    /// the first refusal.
    AuthRejected,
    /// The compute is starting. It is retried.
    Waking,
    /// The network or the server failed in a way that usually passes. It is retried.
    Transient,
    /// The server knows no endpoint with this host: it was deleted, or has another host now. It is not retried.
    UnknownEndpoint,
    /// The same login fails every time, for a reason of this kind. It is not retried.
    Permanent(ErrorKind),
}

/// Opens authenticated connections with one particular Postgres driver.
///
/// Unlike the other traits it has associated types, so that callers get the driver's own connection.
///
/// # Contract
///
/// - One call is one login, without retries and time-outs; [`connect`](crate::connect) does both.
/// - TLS follows [`ConnectParams::tls`]. SNI and the verified name are `host`, also if `addresses` are given.
/// - **Cancellation:** dropping the future closes the socket.
/// - **Secrecy:** neither `Debug` output nor an error contains the password.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait ConnectionFactory: std::fmt::Debug + MaybeSend + MaybeSync {
    /// The driver's connection.
    type Connection: MaybeSend + 'static;
    /// The driver's error; callers get it unchanged, as a source.
    type Error: StdError + Send + Sync + 'static;

    /// Opens one connection and logs in.
    ///
    /// # Errors
    ///
    /// The driver's.
    async fn connect(&self, params: &ConnectParams) -> Result<Self::Connection, Self::Error>;

    /// The class of `error`.
    fn classify(&self, error: &Self::Error) -> ConnectFailure;
}
