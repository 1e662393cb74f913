//! New sessions of the pool.

use std::io;

use async_trait::async_trait;
use lakebase_core::{ConnectFailure, ConnectParams, ConnectionFactory};
use lakebase_session::liveness::LIMIT;
use lakebase_session::{LoginError, ReusableSession, Session, StartupFactory};
use tokio::time::timeout;

/// Opens sessions whose `application_name` is that of a client.
///
/// The name is set after the login, so that the session's `RESET` goes back to the connector's name. If the server ends the session meanwhile, the
/// login has failed, and is tried again like any other.
#[derive(Debug)]
pub(super) struct NamedFactory {
    pub(super) startup: StartupFactory,
    pub(super) name: Option<Vec<u8>>,
}

#[async_trait]
impl ConnectionFactory for NamedFactory {
    /// `Err` is a session that only one client can have.
    type Connection = Result<Box<ReusableSession>, Box<Session>>;
    type Error = LoginError;

    async fn connect(&self, params: &ConnectParams) -> Result<Self::Connection, LoginError> {
        let mut session = match ReusableSession::new(self.startup.connect(params).await?) {
            Ok(session) => Box::new(session),
            Err(session) => return Ok(Err(session)),
        };
        let name = self.name.as_deref();
        if session.is_named(name) {
            return Ok(Ok(session));
        }
        let failed = match timeout(LIMIT, session.rename(name)).await {
            Ok(Ok(())) => return Ok(Ok(session)),
            Ok(Err(error)) => io::Error::new(io::ErrorKind::ConnectionAborted, error),
            Err(late) => late.into(),
        };
        Err(LoginError::Io(failed))
    }

    fn classify(&self, error: &LoginError) -> ConnectFailure {
        self.startup.classify(error)
    }
}
