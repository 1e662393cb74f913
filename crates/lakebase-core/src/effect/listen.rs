//! Private sockets on this machine.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::ByteStream;
use crate::{MaybeSend, MaybeSync, Result};

/// The address of a [`LocalSocket`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalAddress {
    /// `.s.PGSQL.{port}` in a folder that only its owner may enter (mode 0700).
    Unix {
        /// The folder.
        directory: PathBuf,
        /// The port that clients name.
        port: u16,
    },
    /// A port of loopback. Every user of this machine can reach it, so clients must authenticate.
    Tcp(SocketAddr),
}

/// Opens sockets to which drivers of this program connect.
///
/// # Contract
///
/// - The address is open when the method returns; clients wait until they are accepted.
/// - The socket belongs to no runtime before [`LocalSocket::accept`]. If the runtime of one call ends, the next call works
///   on another.
/// - Dropping the socket closes the address and leaves nothing in the file system.
pub trait Listen: fmt::Debug + MaybeSend + MaybeSync {
    /// Opens a Unix socket in a new private folder.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) on platforms without Unix sockets, or if the system's folder for
    /// temporary files cannot hold one: use [`open_tcp`](Self::open_tcp). [`Config`](crate::ErrorKind::Config) if the
    /// program chose a folder that cannot.
    fn open_unix(&self) -> Result<Arc<dyn LocalSocket>>;

    /// Opens a port of 127.0.0.1 that the system chooses.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the system has none.
    fn open_tcp(&self) -> Result<Arc<dyn LocalSocket>>;
}

/// An open socket.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait LocalSocket: fmt::Debug + MaybeSend + MaybeSync {
    /// Its address.
    fn address(&self) -> &LocalAddress;

    /// Waits for the next client. One call at a time.
    ///
    /// **Cancellation:** loses no client.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the system is out of file descriptors: try again after a pause.
    async fn accept(&self) -> Result<Box<dyn ByteStream>>;
}
