//! How far a driver has come with a login, for the error if the server stops answering.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::notify::lock;

/// The step that a login waits for once the server has accepted the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginPhase {
    /// The answer to the request for TLS, or the handshake.
    Tls,
    /// The answer to the start-up packet.
    StartUp,
    /// The answer to a password or another proof.
    Authentication,
    /// The end of the greeting, after the server accepted the login.
    Greeting,
}

/// The progress of a login, which a [`ConnectionFactory`](crate::ConnectionFactory) reports. Clones share it.
///
/// The error of a login without an answer names the phase. A factory need not report any.
#[derive(Clone, Debug, Default)]
pub struct LoginProgress(Arc<Mutex<Option<Progress>>>);

/// The server's address, if it is known, and what it is waited for.
type Progress = (Option<SocketAddr>, LoginPhase);

impl LoginProgress {
    /// The server accepted the connection at `address`, if that is known.
    pub fn connected(&self, address: Option<SocketAddr>, next: LoginPhase) {
        *lock(&self.0) = Some((address, next));
    }

    /// The server answered. Without effect before [`connected`](Self::connected).
    pub fn answered(&self, next: LoginPhase) {
        if let Some((_, phase)) = &mut *lock(&self.0) {
            *phase = next;
        }
    }

    pub(super) fn reached(&self) -> Option<Progress> {
        *lock(&self.0)
    }
}

impl fmt::Display for LoginPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS",
            Self::StartUp => "the answer to the start-up packet",
            Self::Authentication => "authentication",
            Self::Greeting => "the end of the greeting",
        })
    }
}
