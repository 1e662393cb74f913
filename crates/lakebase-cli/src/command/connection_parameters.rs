//! Where a login goes, without logging in and without looking the host up.

use std::path::PathBuf;
use std::sync::Arc;

use lakebase::{Lakebase, Result};

/// The connection parameters that every client needs beside the password.
pub(crate) struct ConnectionParameters {
    pub(crate) host: Arc<str>,
    /// The folder of a Unix socket, instead of `host`.
    pub(crate) socket_directory: Option<PathBuf>,
    pub(crate) port: u16,
    pub(crate) user: Arc<str>,
    pub(crate) database: Arc<str>,
}

impl ConnectionParameters {
    /// Asks the workspace for what is not configured.
    pub(crate) async fn of(lakebase: &Lakebase) -> Result<Self> {
        let config = lakebase.connector().config();
        let host = lakebase.connector().host();
        let (host, user) = futures::future::try_join(host, lakebase.user()).await?;
        Ok(Self {
            host,
            socket_directory: config.socket_directory.clone(),
            port: config.port,
            user,
            database: Arc::clone(&config.database),
        })
    }
}
