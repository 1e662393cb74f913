//! What a driver needs to know to open one connection.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{LoadBalanceHosts, TcpOptions};
use crate::{Error, ErrorKind, Secret};

/// How far the server's identity is checked; libpq's `sslmode`.
///
/// With a native password the modes mean what libpq says. With a token they do not go below `verify-full`:
/// `allow`, `prefer`, `require` and `verify-ca` are raised to it, because a token is a password that works for
/// everything that its owner may do, and Databricks writes `require` where it means a verified server.
/// `disable` is an error then. Only to this machine (`localhost`, Unix sockets) every mode is what it says.
///
/// Source of the modes: PostgreSQL's documentation, "SSL Support".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS only if the server insists; nothing is verified.
    Allow,
    /// TLS if the server offers it; nothing is verified.
    Prefer,
    /// TLS; nothing is verified.
    Require,
    /// TLS with a certificate of a trusted authority.
    VerifyCa,
    /// TLS with a certificate of a trusted authority for exactly this host. The default.
    #[default]
    VerifyFull,
}

impl SslMode {
    /// The name that libpq uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl FromStr for SslMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    format!(
                        "{text:?} is not an sslmode; accepted: disable, allow, prefer, require, verify-ca, verify-full"
                    ),
                )
            })
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the connection is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// How far the server's identity is checked. Default: `verify-full`.
    pub mode: SslMode,
    /// Authorities to trust besides the public and the platform's ones, as PEM.
    pub extra_roots: Option<Bytes>,
}

/// The path of a server's Unix socket, by the folder and port that clients name.
///
/// Source: PostgreSQL's documentation, "Connection Settings", `unix_socket_directories`.
#[must_use]
pub fn socket_path(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}

/// A server setting to apply at start-up: its name and value.
pub type StartupOption = (Arc<str>, Arc<str>);

/// Everything a driver needs to open one connection and log in.
///
/// `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct ConnectParams {
    /// The server's name for TLS (SNI and verification).
    pub host: Arc<str>,
    /// A folder with the server's Unix socket, used instead of TCP.
    pub socket_directory: Option<PathBuf>,
    /// Where to connect to, in order of preference; empty with a Unix socket.
    pub addresses: Vec<IpAddr>,
    /// The server's port. Default: 5432.
    pub port: u16,
    /// The database. Default: `databricks_postgres`.
    pub database: Arc<str>,
    /// The Postgres role.
    pub user: Arc<str>,
    /// The token or native password; `None` sends none.
    pub password: Option<Secret>,
    /// Options of the TCP connection.
    pub tcp: TcpOptions,
    /// In which order the addresses are tried.
    pub load_balance_hosts: LoadBalanceHosts,
    /// How long all addresses together may take to answer.
    pub dial_timeout: Duration,
    /// How the connection is protected.
    pub tls: Tls,
    /// `application_name` at start-up.
    pub application_name: Option<Arc<str>>,
    /// Further settings at start-up, as by `options=-c name=value`.
    pub options: Vec<StartupOption>,
}

impl ConnectParams {
    /// Whether the connection stays on this machine: a Unix socket, `localhost`, or loopback addresses only.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_this_machine(&self.host, &self.addresses, self.socket_directory.is_some())
    }

    /// User, database and place in one phrase for messages: no secret in it.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { user, database, host, port, .. } = self;
        let place = match &self.socket_directory {
            Some(directory) => directory.display().to_string(),
            None => format!("{host}:{port}"),
        };
        format!("database {database:?} at {place} as {user:?}")
    }
}

/// Whether connections to `host` stay on this machine; no addresses means that they are not known (yet).
pub(super) fn is_this_machine(host: &str, addresses: &[IpAddr], by_socket: bool) -> bool {
    by_socket || (is_loopback_name(host) && addresses.iter().all(IpAddr::is_loopback))
}

/// Whether `host` is a name or address of this machine that needs no resolver.
#[must_use]
pub fn is_loopback_name(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
