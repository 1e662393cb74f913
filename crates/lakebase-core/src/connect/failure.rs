//! Why an attempt failed, and the error that the caller gets.

use std::error::Error as StdError;
use std::time::Duration;

use super::config::UsedCredential;
use super::{Login, socket_path};
use crate::{ConnectFailure, ConnectParams, Error, ErrorKind};

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Failure {
    /// The parameters of the login; `None` if they could not be gathered.
    pub(super) login: Option<Login>,
    pub(super) cause: Cause,
}

#[derive(Debug)]
pub(super) enum Cause {
    /// The parameters could not be gathered.
    Preparation(Error),
    /// The driver could not log in: the class of its error, and the error.
    Driver(ConnectFailure, Box<dyn StdError + Send + Sync>),
    /// The attempt did not end within this time.
    TimedOut(Duration),
}

impl Failure {
    /// Its class, which decides what to do next.
    pub(super) fn class(&self) -> ConnectFailure {
        match &self.cause {
            Cause::Preparation(error) if error.is_transient() => ConnectFailure::Transient,
            Cause::Preparation(error) => ConnectFailure::Permanent(error.kind()),
            // There is no fresher password.
            Cause::Driver(ConnectFailure::AuthRejected, _) if self.credential().is_none() => {
                ConnectFailure::Permanent(ErrorKind::LoginRefused)
            }
            Cause::Driver(class, _) => *class,
            Cause::TimedOut(_) => ConnectFailure::Transient,
        }
    }

    /// Whether the host or its addresses may be wrong: no server answers, another one does, or the endpoint is unknown or
    /// disabled.
    ///
    /// A refused login, a missing database, a waking compute or a workspace that is down do not mean that.
    pub(super) fn host_may_be_wrong(&self) -> bool {
        use ConnectFailure::{Permanent, Transient, UnknownEndpoint};
        match &self.cause {
            Cause::Preparation(error) => error.kind() == ErrorKind::NotFound,
            Cause::Driver(Transient | UnknownEndpoint, _) => true,
            Cause::Driver(Permanent(kind), _) => {
                matches!(kind, ErrorKind::Disabled | ErrorKind::Tls)
            }
            Cause::Driver(..) => false,
            Cause::TimedOut(_) => self.login.is_some(),
        }
    }

    /// The credential that it used.
    pub(super) fn credential(&self) -> Option<UsedCredential> {
        self.login.as_ref().and_then(|login| login.credential)
    }

    /// How long the service asked callers to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match &self.cause {
            Cause::Preparation(error) => error.retry_after(),
            Cause::Driver(..) | Cause::TimedOut(_) => None,
        }
    }

    pub(super) fn is_timeout(&self) -> bool {
        matches!(self.cause, Cause::TimedOut(_))
    }

    /// The final error: the target, the number of attempts, what to check, and this failure as the cause.
    ///
    /// `earlier` is the last failure before it that is no [timeout](Self::is_timeout): the end of the budget may have cut
    /// this attempt short.
    pub(super) fn into_error(
        self,
        target: &str,
        class: ConnectFailure,
        attempts: u32,
        budget: Duration,
        earlier: Option<Self>,
    ) -> Error {
        let (kind, message) = match (class, &self.cause) {
            (ConnectFailure::Permanent(kind), Cause::Preparation(_)) => {
                (kind, format!("cannot prepare the login to {target}"))
            }
            (ConnectFailure::Permanent(kind), _) => {
                (kind, format!("cannot log in to {target}{}", advice(kind)))
            }
            (ConnectFailure::UnknownEndpoint, _) => {
                let advice = "likely causes: it was deleted, or re-created with another host";
                (ErrorKind::NotFound, format!("there is no endpoint at {target}; {advice}"))
            }
            (ConnectFailure::AuthRejected, _) => {
                let kind = ErrorKind::LoginRefused;
                let advice = advice(kind);
                (
                    kind,
                    format!("the login to {target} was refused, also with a fresh token{advice}"),
                )
            }
            (ConnectFailure::Waking | ConnectFailure::Transient, _) => {
                let plural = if attempts == 1 { "" } else { "s" };
                let effort = format!("within {budget:?} ({attempts} attempt{plural})");
                (ErrorKind::TimedOut, format!("no login to {target} {effort}"))
            }
        };
        let error = Error::new(kind, message);
        match self.cause {
            Cause::Preparation(cause) => match cause.status() {
                Some(status) => error.with_status(status).with_source(cause),
                None => error.with_source(cause),
            },
            cause => error.with_source(cause.into_source(self.login.as_ref(), earlier)),
        }
    }
}

impl Cause {
    fn into_source(
        self,
        login: Option<&Login>,
        earlier: Option<Failure>,
    ) -> Box<dyn StdError + Send + Sync> {
        match (self, earlier) {
            (Self::Preparation(cause), _) => Box::new(cause),
            (Self::Driver(_, cause), _) => cause,
            (Self::TimedOut(limit), None) => silence(login, limit).into(),
            (Self::TimedOut(limit), Some(earlier)) => {
                let silence = silence(login, limit);
                let message =
                    format!("{silence} in the last attempt, and an earlier attempt failed");
                let error = Error::new(ErrorKind::TimedOut, message);
                Box::new(error.with_source(earlier.cause.into_source(None, None)))
            }
        }
    }
}

/// Names the server that did not answer, and the awaited step.
fn silence(login: Option<&Login>, limit: Duration) -> String {
    let reached = login.and_then(|login| Some((login, login.params.progress.reached()?)));
    let Some((login, (address, phase))) = reached else {
        return format!("the server did not answer within {limit:.1?}");
    };
    let ConnectParams { host, port, socket_directory, .. } = &*login.params;
    let place = match (socket_directory, address) {
        (Some(directory), _) => format!("{} accepted", socket_path(directory, *port).display()),
        (None, Some(address)) if host.parse() == Ok(address.ip()) => {
            format!("{host}:{port} accepted TCP")
        }
        (None, Some(address)) => format!("{host}:{port} ({}) accepted TCP", address.ip()),
        (None, None) => format!("{host}:{port} was reached"),
    };
    format!("{place} and did not answer within {limit:.1?} (waiting for {phase})")
}

/// The likely causes, which end an error's message.
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
