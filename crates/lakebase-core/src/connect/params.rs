//! The parameters with which a driver opens one connection.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{LoadBalanceHosts, LoginProgress, RequireAuth, TcpOptions};
use crate::{Error, ErrorKind, Secret};

/// How the server's identity is verified; libpq's `sslmode`.
///
/// With a native password the modes mean the same as in libpq. With a token `allow`, `prefer`, `require` and `verify-ca`
/// are raised to `verify-full`, and `disable` is an error: a token allows everything that its owner may do, and
/// Databricks' documentation writes `require` for a verified server. To this machine (`localhost`, Unix sockets) no mode
/// is raised.
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

/// The TLS options of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// How the server's identity is verified. Default: `verify-full`.
    pub mode: SslMode,
    /// Authorities to trust besides the public and the platform's, as PEM.
    pub extra_roots: Option<Bytes>,
}

/// The path of a server's Unix socket, for the folder and port that a client gives.
///
/// Source: PostgreSQL's documentation, "Connection Settings", `unix_socket_directories`.
#[must_use]
pub fn socket_path(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}

/// The name and value of a server setting at start-up.
pub type StartupOption = (Arc<str>, Arc<str>);

/// Everything a driver needs to open one connection and log in.
///
/// `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct ConnectParams {
    /// The server's name, for SNI and verification.
    pub host: Arc<str>,
    /// The folder of the server's Unix socket, instead of TCP.
    pub socket_directory: Option<PathBuf>,
    /// The server's addresses, in order of preference; empty with a Unix socket, and where a proxy looks the host up.
    pub addresses: Vec<IpAddr>,
    /// The server's port. Default: 5432.
    pub port: u16,
    /// The database. Default: `databricks_postgres`.
    pub database: Arc<str>,
    /// The Postgres role.
    pub user: Arc<str>,
    /// The token or native password, if any.
    pub password: Option<Secret>,
    /// Options of the TCP connection.
    pub tcp: TcpOptions,
    /// The order in which the addresses are tried.
    pub load_balance_hosts: LoadBalanceHosts,
    /// The limit for dialing all addresses.
    pub dial_timeout: Duration,
    /// The TLS options.
    pub tls: Tls,
    /// Where a driver reports how far the login is. Default: nothing reported.
    pub progress: LoginProgress,
    /// The ways to authenticate that the server may ask for.
    pub require_auth: RequireAuth,
    /// `application_name` at start-up.
    pub application_name: Option<Arc<str>>,
    /// Further server settings at start-up, as in `options=-c name=value`.
    pub options: Vec<StartupOption>,
}

impl ConnectParams {
    /// Whether the connection stays on this machine: a Unix socket, or a loopback host with loopback addresses only.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_this_machine(&self.host, &self.addresses, self.socket_directory.is_some())
    }

    /// The database, host and user in one phrase, for messages. Contains no secret.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { user, database, host, port, .. } = self;
        let address = match &self.socket_directory {
            Some(directory) => directory.display().to_string(),
            None => format!("{host}:{port}"),
        };
        format!("database {database:?} at {address} as {user:?}")
    }
}

/// Whether connections to `host` stay on this machine. Without `addresses` the name decides.
pub(super) fn is_this_machine(host: &str, addresses: &[IpAddr], by_socket: bool) -> bool {
    by_socket || (is_loopback_name(host) && addresses.iter().all(IpAddr::is_loopback))
}

/// Whether `host` is `localhost` or a loopback address.
#[must_use]
pub fn is_loopback_name(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
