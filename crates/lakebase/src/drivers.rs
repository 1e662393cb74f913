//! Connections of other drivers than sqlx.

use lakebase_core::Result;
use lakebase_tokio_postgres::Connection;
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
}
