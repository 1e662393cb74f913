//! Private addresses of this machine.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::ByteStream;
use crate::{MaybeSend, MaybeSync, Result};

/// Where a [`LocalSocket`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalAddress {
    /// `.s.PGSQL.{port}` in a folder that only its owner may enter (mode 0700).
    Unix {
        /// The folder.
        directory: PathBuf,
        /// The port that clients name.
        port: u16,
    },
    /// A port of loopback, which every user of this machine can reach: clients must prove who they are.
    Tcp(SocketAddr),
}

/// Opens sockets to which drivers of this program connect.
///
/// # Contract
///
/// - The address is open once a method has returned; clients queue until they are accepted.
/// - Nothing is bound to a runtime before [`LocalSocket::accept`]. Where the runtime of one call is gone, the next call works on
///   another.
/// - Dropping the socket closes the address and leaves nothing in the file system.
pub trait Listen: fmt::Debug + MaybeSend + MaybeSync {
    /// Opens a Unix socket in a new private folder.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) on platforms without Unix sockets,
    /// [`Config`](crate::ErrorKind::Config) if there can be no such folder, or the socket's path would be too long.
    fn open_unix(&self) -> Result<Arc<dyn LocalSocket>>;

    /// Opens a port of 127.0.0.1 that the system chooses.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the system has none.
    fn open_tcp(&self) -> Result<Arc<dyn LocalSocket>>;
}

/// An open address.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait LocalSocket: fmt::Debug + MaybeSend + MaybeSync {
    /// Where it is.
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
