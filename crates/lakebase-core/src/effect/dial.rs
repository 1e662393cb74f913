//! Opening connections.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use futures_io::{AsyncRead, AsyncWrite};

use crate::connect::{LoadBalanceHosts, TcpOptions};
use crate::{MaybeSend, MaybeSync, Result};

/// Bytes in both directions, whatever runtime drives them.
pub trait ByteStream: AsyncRead + AsyncWrite + MaybeSend + Unpin {}

impl<T: AsyncRead + AsyncWrite + MaybeSend + Unpin> ByteStream for T {}

/// Where to connect to, and for how long to try.
#[derive(Clone, Copy, Debug)]
pub struct DialTarget<'a> {
    /// The host's name or address; looked up by the system's resolver if `addresses` is empty.
    pub host: &'a str,
    /// Where the host is, in order of preference.
    pub addresses: &'a [IpAddr],
    /// The port.
    pub port: u16,
    /// Options of the connection.
    pub tcp: TcpOptions,
    /// In which order the addresses are tried.
    pub load_balance_hosts: LoadBalanceHosts,
    /// How long all addresses together may take to answer.
    pub timeout: Duration,
}

/// A connection, and who is at its other end.
pub struct Dialed {
    /// The connection.
    pub stream: Box<dyn ByteStream>,
    /// The address that answered.
    pub peer: SocketAddr,
}

/// Opens connections: the one way to every server.
///
/// # Contract
///
/// - Addresses are tried as RFC 8305 ("Happy Eyeballs") says: families in turns, the next one 250 ms after the one
///   before or as soon as that fails. The first connection that stands is used, the others are dropped.
/// - The address that answered last is tried first (unless the order shall be random), and one that did not answer or failed
///   within the last minute last.
/// - An answer of the system's resolver is used again for up to 60 s, unless no address answered.
/// - An error is [`Unavailable`](crate::ErrorKind::Unavailable), unless the host does not exist, and names every
///   address with what it did.
/// - **Cancellation:** dropping the future closes all sockets.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait Dial: fmt::Debug + MaybeSend + MaybeSync {
    /// Connects to the first address of `target` that answers.
    ///
    /// # Errors
    ///
    /// See the contract above.
    async fn dial(&self, target: DialTarget<'_>) -> Result<Dialed>;

    /// Connects to a server's Unix socket.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none, [`PermissionDenied`](crate::ErrorKind::PermissionDenied)
    /// if it is not ours to use, [`Unsupported`](crate::ErrorKind::Unsupported) on platforms without Unix sockets,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) otherwise.
    async fn dial_unix(&self, path: &Path) -> Result<Box<dyn ByteStream>>;
}

impl fmt::Debug for Dialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed").field("peer", &self.peer).finish_non_exhaustive()
    }
}
