//! Connections of other drivers than sqlx.

use lakebase_core::Result;
use lakebase_tokio_postgres::Connection;
#[cfg(any(feature = "deadpool", feature = "bb8"))]
use lakebase_tokio_postgres::RecyclingOptions;
#[cfg(feature = "bb8")]
use lakebase_tokio_postgres::bb8::{LakebaseConnections, bb8};
#[cfg(feature = "deadpool")]
use lakebase_tokio_postgres::deadpool::deadpool_postgres::{Pool, PoolBuilder, PoolConfig};
use lakebase_tokio_postgres::tokio_postgres::{CancelToken, Client};

use crate::Lakebase;

impl Lakebase {
    /// Opens one connection of tokio-postgres: the client, and what drives it, as `tokio_postgres::connect` does.
    ///
    /// Spawn the [`Connection`], on whatever executor there is, or the client gets no answers; poll its messages instead to see
    /// notifications. It ends with the client.
    ///
    /// Retries logins as [`connect`](Self::connect) does: within 60 s unless set otherwise, while the compute wakes, through network
    /// failures, and once with a fresh token if one was refused. Its `cancel_token` knows no address: use [`cancel_query`](Self::cancel_query).
    ///
    /// **Cancellation:** dropping the future closes the socket; a token request under way goes on for other callers.
    ///
    /// # Errors
    ///
    /// The last failure with its cause: see [`Connector::connect`](lakebase_core::connect::Connector::connect).
    pub async fn tokio_postgres(&self) -> Result<(Client, Connection)> {
        self.connector.connect(&self.tokio_postgres).await
    }

    /// Asks the server to cancel what a client of this handle is doing: one from [`tokio_postgres`](Self::tokio_postgres) or from a pool, whose
    /// `cancel_token` this takes.
    ///
    /// The request goes to the address where the session is, over verified TLS as the session itself. It is done as soon as the server has dealt
    /// with it; whether it had any effect is not known, because the statement may have ended before.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if the session has ended or belongs to another handle, [`TimedOut`](crate::ErrorKind::TimedOut)
    /// after as long as an attempt to connect may take, else what stood in the way to the server.
    pub async fn cancel_query(&self, token: &CancelToken) -> Result<()> {
        self.tokio_postgres.cancel_query(&self.connector, token).await
    }

    /// Makes a pool of deadpool-postgres, of the size and with the time-outs of `config`. Sends no request before the first checkout.
    ///
    /// Each login is retried as in [`tokio_postgres`](Self::tokio_postgres). A connection is checked before it is handed out if it was handed out last more than
    /// 15 s ago, closed 3 minutes after that if it is idle, and replaced within an hour. Tasks look for such connections and renew the token; they end with
    /// the last clone of the pool. On smol and async-std, deadpool needs a thread of tokio's, which all pools share and which sleeps.
    ///
    /// A failed login is a `PoolError::Backend`, in which [`Error::find_in`](crate::Error::find_in) finds the connector's own error. Without a
    /// `wait` time-out, a checkout waits for a free connection as long as it takes.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) if deadpool does not take `config`.
    #[cfg(feature = "deadpool")]
    pub fn deadpool(&self, config: PoolConfig) -> Result<Pool> {
        self.deadpool_with(RecyclingOptions::new(), |builder| builder.config(config))
    }

    /// The same with other limits, and with all that deadpool's builder offers, such as hooks.
    ///
    /// # Errors
    ///
    /// As [`deadpool`](Self::deadpool).
    #[cfg(feature = "deadpool")]
    pub fn deadpool_with(
        &self,
        options: RecyclingOptions,
        configure: impl FnOnce(PoolBuilder) -> PoolBuilder,
    ) -> Result<Pool> {
        let (connector, factory) = (self.connector.clone(), self.tokio_postgres.clone());
        lakebase_tokio_postgres::deadpool::pool(connector, factory, options, configure)
    }

    /// Makes a pool of bb8 as `builder` says, and opens its first connection, so that a wrong configuration shows here.
    ///
    /// Each login is retried as in [`tokio_postgres`](Self::tokio_postgres). A connection is checked before it is handed out if it was idle for more than
    /// 15 s, not used after 3 minutes of that, and replaced within an hour; the builder's own limits count as well. The token is renewed
    /// by a task that ends with the last clone of the pool.
    ///
    /// # Errors
    ///
    /// The last failure of the first login with its cause; [`Unsupported`](crate::ErrorKind::Unsupported) on other runtimes than tokio.
    #[cfg(feature = "bb8")]
    pub async fn bb8(
        &self,
        builder: bb8::Builder<LakebaseConnections>,
    ) -> Result<bb8::Pool<LakebaseConnections>> {
        let connections = self.bb8_connections(RecyclingOptions::new());
        lakebase_tokio_postgres::bb8::pool(connections, builder).await
    }

    /// The manager for `bb8::Builder::build`, with other limits. A clone of it tells why the last login failed, which bb8 does not.
    #[cfg(feature = "bb8")]
    #[must_use]
    pub fn bb8_connections(&self, options: RecyclingOptions) -> LakebaseConnections {
        LakebaseConnections::new(self.connector.clone(), self.tokio_postgres.clone(), options)
    }
}
