//! A stand-in for Postgres that lets everybody in and answers pings, as a task of the same thread.
//!
//! What it takes to answer is in every count, but what is read from a Unix socket is there as soon as it is written, so that nothing depends on
//! another process.

use std::io;
use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

pub(crate) const PORT: u16 = 5432;

const AUTHENTICATION_OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const READY_FOR_QUERY: &[u8] = b"Z\0\0\0\x05I";
/// A message's kind and length; the first message has only a length.
const HEADER: usize = 5;

/// Listens while it lives.
#[derive(Debug)]
pub(crate) struct Server {
    folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join(format!(".s.PGSQL.{PORT}")))?;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client));
            }
        });
        Ok(Self { folder })
    }

    /// The folder with its socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Answers until the client goes.
async fn serve(mut client: UnixStream) -> io::Result<()> {
    let length = client.read_u32().await?;
    skip(&mut client, length).await?;
    client.write_all(&[AUTHENTICATION_OK, READY_FOR_QUERY].concat()).await?;
    let mut header = [0; HEADER];
    loop {
        client.read_exact(&mut header).await?;
        let [kind, length @ ..] = header;
        skip(&mut client, u32::from_be_bytes(length)).await?;
        if kind == b'S' {
            client.write_all(READY_FOR_QUERY).await?;
        }
    }
}

/// Reads what is left of a message; its length counts itself.
async fn skip(client: &mut UnixStream, length: u32) -> io::Result<()> {
    let mut rest = vec![0; usize::try_from(length).unwrap_or(0).saturating_sub(4)];
    client.read_exact(&mut rest).await.map(drop)
}
