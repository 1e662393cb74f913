//! Between sqlx's errors and ours.

use std::io;

use lakebase_core::connect::classify_refusal;
use lakebase_core::{ConnectFailure, Error, ErrorKind};
use sqlx::Error as SqlxError;

/// What an error that sqlx reported while logging in means for the next login.
#[must_use]
pub fn classify(error: &SqlxError) -> ConnectFailure {
    match error {
        SqlxError::Database(error) => {
            classify_refusal(error.code().as_deref().unwrap_or_default(), error.message())
        }
        SqlxError::Io(error) => classify_io(error),
        SqlxError::Tls(_) => ConnectFailure::Permanent(ErrorKind::Tls),
        SqlxError::PoolTimedOut => ConnectFailure::Transient,
        SqlxError::PoolClosed => ConnectFailure::Permanent(ErrorKind::Closed),
        SqlxError::Configuration(_) | SqlxError::InvalidArgument(_) => {
            ConnectFailure::Permanent(ErrorKind::Config)
        }
        _ => ConnectFailure::Permanent(ErrorKind::Protocol),
    }
}

fn classify_io(error: &io::Error) -> ConnectFailure {
    match error.kind() {
        // rustls reports refused certificates and alerts through the stream that it wraps.
        io::ErrorKind::InvalidData => ConnectFailure::Permanent(ErrorKind::Tls),
        // A Unix socket that is not there, or not ours.
        io::ErrorKind::NotFound => ConnectFailure::Permanent(ErrorKind::NotFound),
        io::ErrorKind::PermissionDenied => ConnectFailure::Permanent(ErrorKind::PermissionDenied),
        // Among these is the path of a Unix socket that is too long: tokio says the first, async-io the second.
        io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::Unsupported => ConnectFailure::Permanent(ErrorKind::Config),
        // Refused, reset, end of file inside the handshake, name not found, timed out.
        _ => ConnectFailure::Transient,
    }
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

/// The connector's own error inside one that came from a [`LakebasePool`](crate::LakebasePool), if it is one.
///
/// `None` for errors of statements, which are sqlx's own.
#[must_use]
pub fn lakebase_error(error: &SqlxError) -> Option<&Error> {
    match error {
        SqlxError::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
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
    fn transport_failures_are_told_from_refusals() {
        let io = |kind| classify(&SqlxError::Io(io::Error::new(kind, "x")));
        assert_eq!(io(io::ErrorKind::ConnectionRefused), ConnectFailure::Transient);
        assert_eq!(io(io::ErrorKind::UnexpectedEof), ConnectFailure::Transient);
        assert_eq!(io(io::ErrorKind::InvalidData), ConnectFailure::Permanent(ErrorKind::Tls));
        assert_eq!(
            classify(&SqlxError::Tls("no TLS".into())),
            ConnectFailure::Permanent(ErrorKind::Tls)
        );
        assert_eq!(classify(&SqlxError::PoolClosed), ConnectFailure::Permanent(ErrorKind::Closed));
    }
}
