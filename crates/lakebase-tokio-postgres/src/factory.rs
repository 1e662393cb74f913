//! One login, handed to tokio-postgres.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lakebase_core::connect::Connector;
use lakebase_core::{ConnectFailure, ConnectParams, ConnectionFactory, Result, Runtime};
use lakebase_session::startup::Startup;
use lakebase_session::{LoginError, StartupFactory, Upstream};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{CancelToken, Client, Config, NoTls};

use crate::cancel::{self, OpenSessions};
use crate::stream::SessionStream;

/// The user that tokio-postgres names; the login is the connector's.
const USER: &str = "lakebase";

/// Drives a [`Client`]: a future to spawn, and the source of its notices and notifications.
///
/// It has no TLS of tokio-postgres', because the stream below it is encrypted already.
pub type Connection = tokio_postgres::Connection<SessionStream, NoTlsStream>;

/// Opens clients of tokio-postgres, each with the [`Connection`] that drives it. Cheap to clone.
///
/// tokio-postgres gets a session that is logged in already. So it never has a password or token, and TLS, limits and errors are those of
/// [`lakebase_session`]. It needs no runtime of tokio's.
#[derive(Clone)]
pub struct TokioPostgresFactory {
    upstream: Arc<Upstream>,
    open: OpenSessions,
}

impl TokioPostgresFactory {
    /// A factory that connects on `runtime`. Trusted roots are read once for it and all its clones.
    #[must_use]
    pub fn new(runtime: &Runtime) -> Self {
        let upstream = Arc::new(Upstream::new(Arc::clone(&runtime.dial)));
        Self { upstream, open: OpenSessions::default() }
    }

    /// Asks the server to cancel what the session of `token` is doing, at the address where that session is and over verified TLS as it has.
    ///
    /// Done as soon as the server has dealt with the request. Whether it had any effect is not known: the statement may have ended before.
    /// `connector` is the one that opened the session; one of its attempts to connect is how long this may take.
    ///
    /// # Errors
    ///
    /// [`NotFound`](lakebase_core::ErrorKind::NotFound) if the session has ended, or was not opened by this factory or a clone of it; else what stood
    /// in the way to the server.
    pub async fn cancel_query(&self, connector: &Connector, token: &CancelToken) -> Result<()> {
        cancel::cancel_query(&self.upstream, &self.open, connector, token).await
    }
}

impl fmt::Debug for TokioPostgresFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioPostgresFactory").finish_non_exhaustive()
    }
}

#[async_trait]
impl ConnectionFactory for TokioPostgresFactory {
    type Connection = (Client, Connection);
    type Error = LoginError;

    async fn connect(&self, params: &ConnectParams) -> Result<(Client, Connection), LoginError> {
        let mut startup = Startup::new();
        // tokio-postgres takes all text for this.
        startup.set("client_encoding", "UTF8");
        let factory = StartupFactory::new(Arc::clone(&self.upstream), startup);
        let session = factory.connect(params).await?;
        let stream = SessionStream::new(session, &self.open);
        config()
            .connect_raw(stream, NoTls)
            .await
            .map_err(|error| LoginError::Driver(Box::new(error)))
    }

    fn classify(&self, error: &LoginError) -> ConnectFailure {
        error.class()
    }
}

/// The settings that tokio-postgres gets. They hold no secret of the server.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.user(USER).ssl_mode(SslMode::Disable);
    config
}
