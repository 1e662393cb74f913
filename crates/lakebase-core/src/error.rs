//! The error of every operation before a connection is up.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of an [`Error`], by what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The handle or pool was closed. Use a new one.
    Closed,
    /// A setting is missing, malformed or contradicts another. The message names it and its origin.
    Config,
    /// The endpoint is disabled. Enable it in the workspace; a connection does not wake it.
    Disabled,
    /// The service refuses the content of the request (HTTP 400). Retrying does not help.
    InvalidRequest,
    /// Postgres refused the login, also with a fresh token: no such role, wrong user, wrong workspace.
    LoginRefused,
    /// The named project, branch, endpoint, role or database does not exist.
    NotFound,
    /// The identity lacks a permission. Ask for a grant, or check the network policy.
    PermissionDenied,
    /// A reply did not have the documented shape.
    Protocol,
    /// The server's certificate could not be verified, or TLS could not be set up.
    Tls,
    /// The service asked callers to slow down. See [`Error::retry_after`].
    Throttled,
    /// The caller's time limit was reached. The source says during what.
    TimedOut,
    /// The workspace refused the identity. Retrying does not help; log in again.
    Unauthenticated,
    /// The network or the service failed in a way that usually passes.
    Unavailable,
    /// This build or platform does not support the request. The message names the alternative.
    Unsupported,
}

impl ErrorKind {
    /// A short name in lower case, for logs and `--json` output. Stable.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Config => "config",
            Self::Disabled => "disabled",
            Self::InvalidRequest => "invalid_request",
            Self::LoginRefused => "login_refused",
            Self::NotFound => "not_found",
            Self::PermissionDenied => "permission_denied",
            Self::Protocol => "protocol",
            Self::Tls => "tls",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed_out",
            Self::Unauthenticated => "unauthenticated",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
        }
    }

    fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::TimedOut | Self::Unavailable)
    }

    /// Whether the same call fails until a setting or a grant changes.
    pub(crate) fn is_permanent(self) -> bool {
        !self.is_transient() && !matches!(self, Self::Protocol | Self::Tls)
    }
}

/// An error from reading configuration, resolving an endpoint, obtaining a credential or logging in.
///
/// One machine word wide and cheap to clone, because every waiter of a shared operation gets the same error. `Display`
/// prints this level only. [`source`](StdError::source) is the cause, and [`Error::report`] prints all levels in one line.
/// No message and no source contains a secret or the body of a reply.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Box<str>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` names the resource or setting, in lower case, without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into().into_boxed_str(),
            status: None,
            retry_after: None,
            source: None,
        }))
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(source.into()));
        self
    }

    /// Adds the HTTP status of the reply that caused this.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        Arc::make_mut(&mut self.0).status = Some(status);
        self
    }

    /// Adds the time, counted from the reply, that the service asks callers to wait.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        Arc::make_mut(&mut self.0).retry_after = Some(delay);
        self
    }

    /// A new error of the same kind with `message`, and this error as its source.
    #[must_use]
    pub fn context(self, message: impl Into<String>) -> Self {
        let mut outer = Self::new(self.kind(), message);
        let inner = Arc::make_mut(&mut outer.0);
        inner.status = self.status();
        inner.retry_after = self.retry_after();
        outer.with_source(self)
    }

    /// Its class.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status of the reply that caused this, if a reply did.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How long the service asked callers to wait, counted from its reply.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same call may succeed later without a change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind().is_transient()
    }

    /// The connector's own error behind one of a driver or a pool: `error` itself or the first among its causes.
    #[must_use]
    pub fn find_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|level| level.downcast_ref())
    }

    /// Whether both are the same error of one shared operation.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// All levels in one line, separated by `: `. Leaves out a level that an earlier one quotes.
    #[must_use]
    pub fn report(&self) -> String {
        let mut line = self.to_string();
        for cause in causes(self).skip(1) {
            let text = cause.to_string();
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
        }
        line
    }
}

/// `error` and its causes, with what an I/O error wraps, which [`source`](StdError::source) passes over.
pub fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, status, retry_after, source } = &*self.0;
        let mut out = f.debug_struct("Error");
        out.field("kind", kind).field("message", message);
        if let Some(status) = status {
            out.field("status", status);
        }
        if let Some(delay) = retry_after {
            out.field("retry_after", delay);
        }
        if let Some(source) = source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_prints_each_level_once() {
        let io = io::Error::other("connection reset");
        let error = Error::new(ErrorKind::Unavailable, "could not reach https://w.example")
            .with_source(io)
            .context("minting a token for projects/p/branches/b/endpoints/e");
        assert_eq!(
            error.report(),
            "minting a token for projects/p/branches/b/endpoints/e: \
             could not reach https://w.example: connection reset"
        );
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn is_one_word_wide_and_shared() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let error = Error::new(ErrorKind::Throttled, "slow down").with_status(429);
        assert!(error.is_same(&error.clone()));
        assert!(error.is_transient());
        assert_eq!(error.status(), Some(429));
    }
}
