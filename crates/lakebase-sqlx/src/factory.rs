//! One login, handed to sqlx.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use lakebase_core::effect::LocalAddress;
use lakebase_core::{ConnectFailure, ConnectParams, ConnectionFactory, Error, ErrorKind, Runtime};
use lakebase_session::{
    LoginError, PrivateAddress, StartupFactory, Upstream, carry, driver_startup,
};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

/// The user that sqlx names; the login is the connector's.
const USER: &str = "lakebase";

/// Opens `PgConnection`s.
///
/// sqlx gets a session that is logged in already, over a private socket of this machine; a task carries its bytes for as long as it
/// lives. So sqlx never has a password or token, and TLS, limits and errors are those of [`lakebase_session`].
#[derive(Clone)]
pub struct SqlxFactory {
    runtime: Runtime,
    upstream: Arc<Upstream>,
    tcp: bool,
}

impl SqlxFactory {
    /// A factory that connects, and carries bytes, on `runtime`, which must be able to run tasks.
    #[must_use]
    pub fn new(runtime: &Runtime) -> Self {
        let upstream = Arc::new(Upstream::new(Arc::clone(&runtime.dial)));
        Self { runtime: runtime.clone(), upstream, tcp: false }
    }

    /// Hands sessions over on a port of loopback with a random password. The default on platforms without Unix sockets.
    #[must_use]
    pub fn over_tcp(self) -> Self {
        Self { tcp: true, ..self }
    }

    /// A new address at which sqlx gets sessions.
    pub(crate) fn address(&self) -> Result<PrivateAddress, Error> {
        match self.tcp {
            true => PrivateAddress::open_tcp(&*self.runtime.listen),
            false => PrivateAddress::open(&*self.runtime.listen),
        }
    }
}

impl fmt::Debug for SqlxFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxFactory").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

#[async_trait]
impl ConnectionFactory for SqlxFactory {
    type Connection = PgConnection;
    type Error = LoginError;

    async fn connect(&self, params: &ConnectParams) -> Result<PgConnection, LoginError> {
        let spawn = self.runtime.spawn.as_ref().ok_or_else(|| {
            let message = "sqlx needs tasks that carry its bytes, and this runtime has no `spawn`";
            LoginError::Local(Error::new(ErrorKind::Unsupported, message))
        })?;
        let address = self.address().map_err(LoginError::Local)?;
        let options = options(&address, params.application_name.as_deref());
        let mut driver = pin!(options.connect());
        let login = async {
            let mut client = address.accept().await.map_err(LoginError::Local)?;
            let startup = driver_startup(&mut *client, address.verifier()).await;
            let factory =
                StartupFactory::new(Arc::clone(&self.upstream), startup.map_err(LoginError::Io)?);
            Ok((client, factory.connect(params).await?))
        };
        let (client, session) = match select(pin!(login), &mut driver).await {
            Either::Left((login, _)) => login?,
            Either::Right((early, _)) => {
                return early.map_err(|error| LoginError::Driver(error.into()));
            }
        };
        spawn.spawn(Box::pin(async move {
            carry(client, session, Vec::new()).await;
        }));
        driver.await.map_err(|error| LoginError::Driver(error.into()))
    }

    fn classify(&self, error: &LoginError) -> ConnectFailure {
        error.class()
    }
}

/// sqlx's options for `address`. There is no secret of the server in them.
pub(crate) fn options(
    address: &PrivateAddress,
    application_name: Option<&str>,
) -> PgConnectOptions {
    let password = address.password().map_or("", |password| password.expose());
    let options = PgConnectOptions::new_without_pgpass()
        .username(USER)
        .password(password)
        .ssl_mode(PgSslMode::Disable)
        .application_name(application_name.unwrap_or_default())
        .disable_statement_logging();
    // A database of the user's name means that none was given.
    let options = options.database(USER);
    match address.address() {
        LocalAddress::Unix { directory, port } => options.port(*port).socket(directory),
        LocalAddress::Tcp(address) => options.host(&address.ip().to_string()).port(address.port()),
    }
}
