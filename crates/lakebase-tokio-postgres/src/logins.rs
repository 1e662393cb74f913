//! Opens the connections of a pool, and keeps their token fresh for as long as the pool lives.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use lakebase_core::Result;
use lakebase_core::connect::Connector;
use lakebase_core::refresh::KeepFresh;
use tokio_postgres::Client;

use crate::{Connection, TokioPostgresFactory};

pub(crate) struct Logins {
    pub(crate) connector: Connector,
    factory: TokioPostgresFactory,
    /// Begins with the first login.
    renewal: Mutex<Option<KeepFresh>>,
}

impl Logins {
    pub(crate) fn new(connector: Connector, factory: TokioPostgresFactory) -> Self {
        Self { connector, factory, renewal: Mutex::default() }
    }

    /// Opens a connection, with all retries, within the connector's budget.
    pub(crate) async fn open(&self) -> Result<(Client, Connection)> {
        let connection = self.connector.connect(&self.factory).await?;
        if self.renewal.lock().unwrap_or_else(PoisonError::into_inner).is_none()
            && let Some(cache) = self.connector.credentials().await?
        {
            let renewal = cache.keep_fresh();
            *self.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewal);
        }
        Ok(connection)
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").field("connector", &self.connector).finish_non_exhaustive()
    }
}
