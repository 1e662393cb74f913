//! One login with sqlx.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use lakebase_core::effect::RelaySocket;
use lakebase_core::{ConnectFailure, ConnectParams, ConnectionFactory, Relay, SslMode};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

/// Opens `PgConnection`s.
///
/// sqlx has no setting for an address beside the host name, so a connection to given addresses goes
/// through a private relay of bytes; TLS stays between sqlx and the server, for the host's name.
#[derive(Clone)]
pub struct SqlxFactory {
    relay: Arc<dyn Relay>,
}

impl SqlxFactory {
    /// A factory that reaches given addresses through `relay`.
    #[must_use]
    pub fn new(relay: Arc<dyn Relay>) -> Self {
        Self { relay }
    }

    /// Opens a relay to the addresses of `params`; `None` if it has none.
    pub(crate) async fn relay(
        &self,
        params: &ConnectParams,
    ) -> Result<Option<Box<dyn RelaySocket>>, lakebase_core::Error> {
        if params.addresses.is_empty() {
            return Ok(None);
        }
        self.relay.open(params.port, targets(params)).await.map(Some)
    }
}

impl fmt::Debug for SqlxFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxFactory").finish_non_exhaustive()
    }
}

#[async_trait]
impl ConnectionFactory for SqlxFactory {
    type Connection = PgConnection;
    type Error = sqlx::Error;

    async fn connect(&self, params: &ConnectParams) -> Result<PgConnection, sqlx::Error> {
        // The relay may go once the connection stands: what it carries lives on.
        let relay = self.relay(params).await;
        let relay = relay.map_err(|error| sqlx::Error::Configuration(Box::new(error)))?;
        let options = options(params, relay.as_deref().map(RelaySocket::directory));
        options.connect().await.map_err(|error| unmask(error, relay.as_deref()))
    }

    fn classify(&self, error: &sqlx::Error) -> ConnectFailure {
        crate::classify(error)
    }
}

/// Puts the real reason in place of the broken pipe that sqlx sees when a relay reaches nobody.
pub(crate) fn unmask(error: sqlx::Error, relay: Option<&dyn RelaySocket>) -> sqlx::Error {
    match (&error, relay.and_then(RelaySocket::last_error)) {
        (sqlx::Error::Io(io), Some(reason)) => {
            sqlx::Error::Io(std::io::Error::new(io.kind(), reason))
        }
        _ => error,
    }
}

pub(crate) fn targets(params: &ConnectParams) -> Vec<SocketAddr> {
    params.addresses.iter().map(|address| SocketAddr::new(*address, params.port)).collect()
}

/// sqlx's options for `params`, through the Unix socket in `relay` if there is one.
///
/// `PgConnectOptions`' derived `Debug` prints the password: never log the result.
pub(crate) fn options(params: &ConnectParams, relay: Option<&Path>) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&params.host)
        .port(params.port)
        .username(&params.user)
        .database(&params.database)
        .password(params.password.as_ref().map_or("", |password| password.expose()))
        .ssl_mode(ssl_mode(params.tls.mode))
        .application_name(params.application_name.as_deref().unwrap_or_default())
        .options(params.options.iter().map(|(key, value)| (key, value)))
        .disable_statement_logging();
    if let Some(roots) = &params.tls.extra_roots {
        options = options.ssl_root_cert_from_pem(roots.to_vec());
    }
    match relay.or(params.socket_directory.as_deref()) {
        Some(directory) => options.socket(directory),
        None => options,
    }
}

fn ssl_mode(mode: SslMode) -> PgSslMode {
    match mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Allow => PgSslMode::Allow,
        SslMode::Prefer => PgSslMode::Prefer,
        SslMode::Require => PgSslMode::Require,
        SslMode::VerifyCa => PgSslMode::VerifyCa,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    }
}
