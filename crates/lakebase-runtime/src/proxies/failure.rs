//! How a request fails at a proxy.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong between here and a proxy, or in it. It is among the sources of a request's error.
#[derive(Debug)]
pub struct ProxyError {
    pub(super) problem: ProxyProblem,
    pub(super) message: Box<str>,
    pub(super) source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kind of a [`ProxyError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProblem {
    /// It asks for a user and a password, or does not accept those that it got (status 407, or 401).
    AuthenticationRequired,
    /// It does not let the request through (any other status).
    Refused,
    /// It cannot be reached, is silent, or does not answer as an HTTP proxy does.
    Unreachable,
}

impl ProxyError {
    /// Which kind it is.
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
