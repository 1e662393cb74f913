//! Pools of bb8 whose connections log in with fresh tokens.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use ::bb8;
use ::bb8::{Builder, ManageConnection, Pool};
use futures_util::future::{AbortHandle, abortable};
use lakebase_core::connect::Connector;
use lakebase_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio_postgres::Client;

use crate::logins::Logins;
use crate::recycling::Recycling;
use crate::{RecyclingOptions, TokioPostgresFactory};

/// Makes a pool of bb8 as `builder` says, and opens its first connection, so that a wrong configuration shows here.
///
/// # Errors
///
/// Those of [`Connector::connect`]; [`ErrorKind::Unsupported`] outside tokio, which bb8 needs.
pub async fn pool(
    connections: LakebaseConnections,
    builder: Builder<LakebaseConnections>,
) -> Result<Pool<LakebaseConnections>> {
    if Handle::try_current().is_err() {
        let message = "bb8 runs on tokio alone; use deadpool, or tokio";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let first = connections.connect().await?;
    let pool = builder.build(connections).await?;
    // If the builder wants so many that there is no room for it, it ends.
    drop(pool.add(first));
    Ok(pool)
}

/// Opens and checks the connections of a pool of bb8. Cheap to clone.
///
/// A connection is checked if it was idle for long, and replaced when it is idle or old enough, whatever the builder of the pool says; what that one
/// says counts as well. bb8 tries a failed login again until its time is over and does not say why it failed: ask [`last_error`](Self::last_error).
#[derive(Clone)]
pub struct LakebaseConnections(Arc<Shared>);

struct Shared {
    logins: Logins,
    recycling: Recycling,
    last_error: Mutex<Option<Error>>,
}

impl LakebaseConnections {
    /// Connections of `connector`, checked and replaced as `options` say.
    #[must_use]
    pub fn new(
        connector: Connector,
        factory: TokioPostgresFactory,
        options: RecyclingOptions,
    ) -> Self {
        let recycling = Recycling::new(connector.runtime(), options);
        let logins = Logins::new(connector, factory);
        Self(Arc::new(Shared { logins, recycling, last_error: Mutex::default() }))
    }

    /// Why the last login failed; `None` after one that succeeded.
    #[must_use]
    pub fn last_error(&self) -> Option<Error> {
        self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self) -> Duration {
        self.0.logins.connector.runtime().clock.coarse_monotonic()
    }
}

impl fmt::Debug for LakebaseConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakebaseConnections")
            .field("recycling", &self.0.recycling)
            .finish_non_exhaustive()
    }
}

impl ManageConnection for LakebaseConnections {
    type Connection = LakebaseClient;
    type Error = Error;

    async fn connect(&self) -> Result<LakebaseClient> {
        let login = self.0.logins.open().await;
        *self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner) =
            login.as_ref().err().cloned();
        let (client, connection) = login?;
        let (driving, end) = abortable(self.0.recycling.driving(connection));
        tokio::spawn(driving);
        let now = self.now();
        Ok(LakebaseClient { client, opened: now, released: now, silent: false, end })
    }

    async fn is_valid(&self, connection: &mut LakebaseClient) -> Result<()> {
        let idle = self.now().saturating_sub(connection.released);
        let recycling = &self.0.recycling;
        let is_gone = connection.is_closed() || idle >= recycling.options.idle_timeout;
        if is_gone {
            return Err(Error::new(ErrorKind::Closed, "an idle connection ended"));
        }
        connection.silent = true;
        let answers = !recycling.is_in_doubt(idle) || recycling.answers(connection, idle).await;
        connection.silent = !answers;
        match answers {
            true => {
                recycling.tell_replaced();
                Ok(())
            }
            false => Err(Error::new(ErrorKind::Closed, "an idle connection did not answer")),
        }
    }

    /// Asked when a connection comes back: also whether it is too old to be used again.
    fn has_broken(&self, connection: &mut LakebaseClient) -> bool {
        let now = self.now();
        // A connection whose check was given up has been idle since before the check.
        if !connection.silent {
            connection.released = now;
        }
        let age = now.saturating_sub(connection.opened);
        connection.is_closed() || self.0.recycling.is_old(age)
    }
}

/// A client of tokio-postgres in a pool. Dereferences to [`Client`].
pub struct LakebaseClient {
    client: Client,
    opened: Duration,
    released: Duration,
    /// Whether it owes an answer to a check; then its task does not wait for one.
    silent: bool,
    end: AbortHandle,
}

impl Deref for LakebaseClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for LakebaseClient {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl fmt::Debug for LakebaseClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakebaseClient").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Drop for LakebaseClient {
    fn drop(&mut self) {
        if self.silent {
            self.end.abort();
        }
    }
}
