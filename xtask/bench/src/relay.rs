//! A Unix socket in front of a TCP address, for plain sqlx: it has no setting for the address of a host, and takes a host name and a socket
//! at once. What logs in is sqlx, over TLS that it verifies.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinHandle;

/// Ends when it is dropped; connections go on.
pub(crate) struct Relay {
    directory: TempDir,
    task: JoinHandle<()>,
}

impl Relay {
    /// Opens a socket for `port` whose clients reach `target`.
    pub(crate) fn open(port: u16, target: SocketAddr) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = lakebase::core::connect::socket_path(directory.path(), port);
        let listener = UnixListener::bind(path)?;
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(target).await?;
                    server.set_nodelay(true)?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok(Self { directory, task })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
