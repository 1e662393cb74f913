//! Between sqlx's errors and ours.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use lakebase_core::{Error, ErrorKind};
use lakebase_session::{ServerError, to_client};
use sqlx::Error as SqlxError;
use sqlx::postgres::PgDatabaseError;

/// Marks an `ErrorResponse` of ours, in the place of the function of the server that reported it.
const MARK: &str = "lakebase-login-";

/// How many failed logins can be asked for.
const REMEMBERED: usize = 64;

/// The last failed logins of this process with their numbers: sqlx gets text and SQLSTATE of one, and here is the error itself.
static FAILURES: Mutex<(u64, VecDeque<(u64, Error)>)> = Mutex::new((0, VecDeque::new()));

/// The error that sqlx gets for a failed login. All retries have been made, so no SQLSTATE makes it try again.
pub(crate) fn explain(error: &Error) -> ServerError {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    let (last, known) = &mut *failures;
    *last += 1;
    known.push_back((*last, error.clone()));
    if known.len() > REMEMBERED {
        known.pop_front();
    }
    let mut answer = to_client(error);
    if matches!(answer.sqlstate.as_str(), "53300" | "57P03") {
        // sqlclient_unable_to_establish_sqlconnection
        answer.sqlstate = "08001".to_owned();
    }
    answer.routine = Some(format!("{MARK}{last}"));
    answer
}

/// Wraps `error` so that it passes through interfaces that are fixed to sqlx's error type.
///
/// It is an I/O error there, because it means that there is no connection; the text and all causes are kept.
pub(crate) fn into_sqlx(error: Error) -> SqlxError {
    match error.kind() {
        ErrorKind::Closed => SqlxError::PoolClosed,
        ErrorKind::TimedOut => SqlxError::Io(io::Error::new(io::ErrorKind::TimedOut, error)),
        _ => SqlxError::Io(io::Error::other(error)),
    }
}

/// The connector's own error inside one that came from a [`LakebasePool`](crate::LakebasePool) or from a clone of its `PgPool`, if
/// it is one.
///
/// `None` for errors of statements, which are sqlx's own, and, from a `PgPool`, once 64 logins failed after it.
#[must_use]
pub fn lakebase_error(error: &SqlxError) -> Option<Error> {
    match error {
        SqlxError::Io(error) => error.get_ref()?.downcast_ref().cloned(),
        SqlxError::Database(error) => {
            let routine = error.try_downcast_ref::<PgDatabaseError>()?.routine()?;
            let number: u64 = routine.strip_prefix(MARK)?.parse().ok()?;
            let failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
            let found = failures.1.iter().find(|(known, _)| *known == number);
            found.map(|(_, error)| error.clone())
        }
        _ => None,
    }
}

/// Whether a connection ended, and another may do what this one could not.
pub(crate) fn is_gone(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(error) => error.kind() != io::ErrorKind::InvalidData,
        // connection_exception, admin_shutdown, crash_shutdown
        SqlxError::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("08") || code == "57P01" || code == "57P02"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn wrapping_keeps_text_kind_and_causes() {
        let error = Error::new(ErrorKind::TimedOut, "no login to db within 60s (7 attempts)")
            .with_source("connection refused");
        let wrapped = into_sqlx(error);
        assert_eq!(
            wrapped.to_string(),
            "error communicating with database: no login to db within 60s (7 attempts)"
        );
        let inner = lakebase_error(&wrapped).unwrap();
        assert_eq!(inner.kind(), ErrorKind::TimedOut);
        assert_eq!(inner.source().unwrap().to_string(), "connection refused");
        assert!(matches!(into_sqlx(Error::new(ErrorKind::Closed, "")), SqlxError::PoolClosed));
    }

    #[test]
    fn only_ends_of_connections_are_worth_another() {
        let io = |kind| is_gone(&SqlxError::Io(io::Error::new(kind, "x")));
        assert!(io(io::ErrorKind::ConnectionReset) && io(io::ErrorKind::UnexpectedEof));
        assert!(!io(io::ErrorKind::InvalidData));
        assert!(!is_gone(&SqlxError::PoolClosed) && !is_gone(&SqlxError::RowNotFound));
    }

    #[test]
    fn sqlx_is_never_told_to_try_again() {
        let full = ServerError { sqlstate: "53300".into(), ..ServerError::default() };
        let refused = lakebase_session::LoginError::Refused(full);
        let error = Error::new(ErrorKind::TimedOut, "no login").with_source(refused);
        assert_eq!(to_client(&error).sqlstate, "53300");
        let told = explain(&error);
        assert_eq!(told.sqlstate, "08001");
        assert!(told.routine.unwrap().starts_with(MARK));
    }
}
