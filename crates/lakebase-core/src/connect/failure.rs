//! Why an attempt failed, and the error that the caller gets to see in the end.

use std::error::Error as StdError;
use std::time::Duration;

use super::{ConnectFailure, Login};
use crate::refresh::Generation;
use crate::{Error, ErrorKind};

/// An attempt at a login that failed.
#[derive(Debug)]
pub struct Failure {
    /// The login that was tried; `None` if none could be put together.
    pub login: Option<Login>,
    /// Why.
    pub cause: Cause,
}

/// Why an attempt failed.
#[derive(Debug)]
pub enum Cause {
    /// No login could be put together.
    Preparation(Error),
    /// The driver could not log in; what its error means, and the error.
    Driver(ConnectFailure, Box<dyn StdError + Send + Sync>),
    /// Nothing happened for this long.
    Silence(Duration),
}

impl Failure {
    /// What it means for the next attempt.
    pub(super) fn class(&self) -> ConnectFailure {
        match &self.cause {
            Cause::Preparation(error) if error.is_transient() => ConnectFailure::Transient,
            Cause::Preparation(error) => ConnectFailure::Permanent(error.kind()),
            // There is no fresher password to be had.
            Cause::Driver(ConnectFailure::AuthRejected, _) if self.generation().is_none() => {
                ConnectFailure::Permanent(ErrorKind::LoginRefused)
            }
            Cause::Driver(class, _) => *class,
            Cause::Silence(_) => ConnectFailure::Transient,
        }
    }

    /// Whether the host or its addresses may be wrong: nobody answers there, or somebody else, or the endpoint
    /// is unknown or disabled.
    ///
    /// A refused login, a missing database, a full pool, a compute that wakes or a workspace that is down
    /// say nothing about that.
    pub(super) fn doubts_place(&self) -> bool {
        use ConnectFailure::{Permanent, Transient, UnknownEndpoint};
        match &self.cause {
            Cause::Preparation(error) => error.kind() == ErrorKind::NotFound,
            Cause::Driver(Transient | UnknownEndpoint, _) => true,
            Cause::Driver(Permanent(kind), _) => {
                matches!(kind, ErrorKind::Disabled | ErrorKind::Tls)
            }
            Cause::Driver(..) => false,
            Cause::Silence(_) => self.login.is_some(),
        }
    }

    fn generation(&self) -> Option<Generation> {
        self.login.as_ref().and_then(|login| login.generation)
    }

    /// How long the service asked to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match &self.cause {
            Cause::Preparation(error) => error.retry_after(),
            Cause::Driver(..) | Cause::Silence(_) => None,
        }
    }

    /// Whether it tells more than that nothing happened.
    pub(super) fn is_telling(&self) -> bool {
        !matches!(self.cause, Cause::Silence(_))
    }

    /// The final error: what was tried at `place`, in how many attempts, what to check, and this as the cause.
    ///
    /// `earlier` is the last attempt before it that was [telling](Self::is_telling): the end of the budget may have cut this one off.
    pub(super) fn into_error(
        self,
        place: &str,
        class: ConnectFailure,
        attempts: u32,
        budget: Duration,
        earlier: Option<Self>,
    ) -> Error {
        let (kind, message) = match (class, &self.cause) {
            (ConnectFailure::Permanent(kind), Cause::Preparation(_)) => {
                (kind, format!("cannot prepare the login to {place}"))
            }
            (ConnectFailure::Permanent(kind), _) => {
                (kind, format!("cannot log in to {place}{}", advice(kind)))
            }
            (ConnectFailure::UnknownEndpoint, _) => {
                let advice = "likely causes: it was deleted, or re-created with another host";
                (ErrorKind::NotFound, format!("there is no endpoint at {place}; {advice}"))
            }
            (ConnectFailure::AuthRejected, _) => {
                let kind = ErrorKind::LoginRefused;
                let advice = advice(kind);
                (kind, format!("the login to {place} was refused, also with a fresh token{advice}"))
            }
            (ConnectFailure::Waking | ConnectFailure::Transient, _) => {
                let plural = if attempts == 1 { "" } else { "s" };
                let effort = format!("within {budget:?} ({attempts} attempt{plural})");
                (ErrorKind::TimedOut, format!("no login to {place} {effort}"))
            }
        };
        let error = Error::new(kind, message);
        match self.cause {
            Cause::Preparation(cause) => match cause.status() {
                Some(status) => error.with_status(status).with_source(cause),
                None => error.with_source(cause),
            },
            cause => error.with_source(cause.into_source(earlier)),
        }
    }
}

impl Cause {
    fn into_source(self, earlier: Option<Failure>) -> Box<dyn StdError + Send + Sync> {
        match (self, earlier) {
            (Self::Preparation(cause), _) => Box::new(cause),
            (Self::Driver(_, cause), _) => cause,
            (Self::Silence(limit), None) => {
                format!("the server did not answer within {limit:.1?}").into()
            }
            (Self::Silence(limit), Some(earlier)) => {
                let message = format!(
                    "the server did not answer the last attempt within {limit:.1?}, and an earlier one failed"
                );
                let error = Error::new(ErrorKind::TimedOut, message);
                Box::new(error.with_source(earlier.cause.into_source(None)))
            }
        }
    }
}

/// The likely causes, for the last part of an error.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::LoginRefused => {
            "; likely causes: the user name is not this identity's, its role does not exist on this branch \
             (create it with databricks_create_role), the password is wrong, or the token comes from another workspace"
        }
        ErrorKind::NotFound => {
            "; likely causes: the role was not created on this branch (databricks_create_role), or the \
             database name is misspelt"
        }
        ErrorKind::PermissionDenied => {
            "; check the workspace's IP access list and the role's grants"
        }
        ErrorKind::Tls => {
            "; check the host name, and that the server's authority is trusted (PGSSLROOTCERT, SSL_CERT_FILE)"
        }
        ErrorKind::Disabled => "; enable the endpoint in the workspace",
        _ => "",
    }
}
