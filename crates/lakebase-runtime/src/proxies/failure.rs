//! How a request or a connection fails at a proxy.

use std::error::Error as StdError;
use std::fmt;
#[cfg(feature = "_runtime")]
use std::time::Duration;

#[cfg(feature = "_runtime")]
use lakebase_core::ErrorKind;

/// An error at a proxy, or on the way to it. It is among the sources of the error of a request or a connection.
#[derive(Debug)]
pub struct ProxyError {
    pub(super) problem: ProxyProblem,
    /// Transient only where the same may succeed later without a change of settings.
    #[cfg(feature = "_runtime")]
    pub(super) kind: ErrorKind,
    /// How long no request goes to the proxy.
    #[cfg(feature = "_runtime")]
    pub(super) pause: Option<Duration>,
    pub(super) message: Box<str>,
    pub(super) source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of errors at a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProblem {
    /// It asks for a user and a password, or does not accept those that it got.
    AuthenticationRequired,
    /// It does not open the way, because it may not or because it cannot reach the host.
    Refused,
    /// It cannot be reached, is silent, or does not answer as such a proxy does.
    Unreachable,
}

impl ProxyError {
    /// Which problem it is.
    #[must_use]
    pub fn problem(&self) -> ProxyProblem {
        self.problem
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ProxyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
