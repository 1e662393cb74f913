//! Errors on the way to a server, and the error that a client gets.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use lakebase_core::connect::{AuthMethod, classify_refusal};
use lakebase_core::{ConnectFailure, Error, ErrorKind, SslMode, causes};

use crate::message::ServerError;
use crate::startup::StartupError;

/// Why a login at a server failed. Holds no password.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoginError {
    /// The server cannot be reached.
    Dial(Error),
    /// The connection broke.
    Io(io::Error),
    /// The server answered with an `ErrorResponse`.
    Refused(ServerError),
    /// TLS failed, for example because of the server's certificate.
    Tls(io::Error),
    /// TLS could not be set up on this side.
    TlsConfig(rustls::Error),
    /// The server has no TLS, and this `sslmode` insists on it.
    NoTls(SslMode),
    /// The host is neither a name nor an address.
    HostName,
    /// The server sent something that has no place in a login.
    Protocol(&'static str),
    /// The server wants a method of authentication that is not supported.
    Method(&'static str),
    /// The server asks for a proof, or for none, in a way that `require_auth` does not allow.
    NotAllowed(AuthMethod),
    /// The server wants a password and none is configured.
    NoPassword,
    /// The server wants the password in the clear and the connection is not encrypted.
    CleartextPassword,
    /// The server does not know the password that it asked for.
    Impostor,
    /// The client's start-up packet with the configured settings is too long.
    Startup(StartupError),
    /// There is no local address at which the driver could take its session.
    Local(Error),
    /// The driver could not use its session.
    Driver(Box<dyn StdError + Send + Sync>),
}

impl LoginError {
    /// Its class, which decides about the next attempt.
    #[must_use]
    pub fn class(&self) -> ConnectFailure {
        use ConnectFailure::{Permanent, Transient};
        match self {
            Self::Refused(error) => classify_refusal(&error.sqlstate, &error.message),
            Self::Dial(error) if error.is_transient() => Transient,
            Self::Dial(error) | Self::Local(error) => Permanent(error.kind()),
            Self::Io(error) => match error.kind() {
                // An alert, or garbage inside TLS.
                io::ErrorKind::InvalidData => Permanent(ErrorKind::Tls),
                // Said by `message::read` alone.
                io::ErrorKind::Other => Permanent(ErrorKind::Protocol),
                _ => Transient,
            },
            // rustls reports refused certificates and alerts as invalid data; all else is the network.
            Self::Tls(error) if error.kind() != io::ErrorKind::InvalidData => Transient,
            Self::Tls(_) | Self::TlsConfig(_) | Self::NoTls(_) | Self::CleartextPassword => {
                Permanent(ErrorKind::Tls)
            }
            Self::HostName | Self::NoPassword | Self::NotAllowed(_) | Self::Startup(_) => {
                Permanent(ErrorKind::Config)
            }
            Self::Protocol(_) | Self::Driver(_) => Permanent(ErrorKind::Protocol),
            Self::Method(_) => Permanent(ErrorKind::Unsupported),
            Self::Impostor => Permanent(ErrorKind::LoginRefused),
        }
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(error) => error.fmt(f),
            Self::Io(_) => f.write_str("the connection to the server broke during login"),
            Self::Refused(error) => error.fmt(f),
            Self::Tls(_) => f.write_str("TLS with the server failed"),
            Self::TlsConfig(_) => f.write_str("cannot set up TLS"),
            Self::NoTls(mode) => {
                write!(f, "the server offers no TLS, and sslmode {mode} insists on it")
            }
            Self::HostName => f.write_str("the host is neither a host name nor an address"),
            Self::Protocol(what) => write!(f, "the server sent {what}"),
            Self::Method(method) => write!(
                f,
                "the server wants authentication by {method}; supported: password, md5, SCRAM-SHA-256"
            ),
            Self::NotAllowed(method) => write!(
                f,
                "the server asks for authentication by {method}, which require_auth does not allow"
            ),
            Self::NoPassword => {
                f.write_str("the server wants a password and none is configured; set PGPASSWORD")
            }
            Self::CleartextPassword => f.write_str(
                "the server wants the password in the clear over a connection without TLS",
            ),
            Self::Impostor => f.write_str("the server could not prove that it knows the password"),
            Self::Startup(error) => error.fmt(f),
            Self::Local(error) => error.fmt(f),
            Self::Driver(_) => f.write_str("the driver could not use its session"),
        }
    }
}

impl StdError for LoginError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Dial(error) | Self::Local(error) => error.source(),
            Self::Driver(error) => Some(&**error),
            Self::Io(error) | Self::Tls(error) => Some(error),
            Self::TlsConfig(error) => Some(error),
            _ => None,
        }
    }
}

/// Finds the server's answer to a login that it refused, among the causes of `error`.
#[must_use]
pub fn refusal(error: &Error) -> Option<&ServerError> {
    causes(error).find_map(|cause| match cause.downcast_ref() {
        Some(LoginError::Refused(refusal)) => Some(refusal),
        _ => None,
    })
}

/// The error that a client gets after a login that failed: the server's own refusal where there is one, so that tools
/// find the SQLSTATE they know, with the connector's account of it as the detail.
#[must_use]
pub fn to_client(error: &Error) -> ServerError {
    if let Some(refusal) = refusal(error) {
        let detail = match &refusal.detail {
            Some(detail) => format!("{detail}; {error}"),
            None => error.to_string(),
        };
        return ServerError { detail: Some(detail), ..refusal.clone() };
    }
    let sqlstate = match error.kind() {
        // invalid_authorization_specification
        ErrorKind::LoginRefused | ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => {
            "28000"
        }
        // sqlserver_rejected_establishment_of_sqlconnection
        ErrorKind::Disabled | ErrorKind::NotFound => "08004",
        // config_file_error
        ErrorKind::Config => "F0000",
        // sqlclient_unable_to_establish_sqlconnection
        _ => "08001",
    };
    ServerError { sqlstate: sqlstate.to_owned(), message: error.report(), ..ServerError::default() }
}
