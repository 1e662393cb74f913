//! Opening connections.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use futures_io::{AsyncRead, AsyncWrite};

use crate::connect::{LoadBalanceHosts, TcpOptions};
use crate::{MaybeSend, MaybeSync, Result};

/// A stream of bytes in both directions, for every runtime.
pub trait ByteStream: AsyncRead + AsyncWrite + MaybeSend + Unpin {}

impl<T: AsyncRead + AsyncWrite + MaybeSend + Unpin> ByteStream for T {}

/// The destination of a connection, and its time limit.
#[derive(Clone, Copy, Debug)]
pub struct DialTarget<'a> {
    /// The host's name or address. The system's resolver, or a proxy, looks it up if `addresses` is empty.
    pub host: &'a str,
    /// The host's addresses, in order of preference.
    pub addresses: &'a [IpAddr],
    /// The port.
    pub port: u16,
    /// Options of the connection.
    pub tcp: TcpOptions,
    /// The order in which the addresses are tried.
    pub load_balance_hosts: LoadBalanceHosts,
    /// The limit for all addresses together.
    pub timeout: Duration,
}

/// A connection and its peer.
pub struct Dialed {
    /// The connection.
    pub stream: Box<dyn ByteStream>,
    /// The address that answered; `None` if a proxy looked it up.
    pub peer: Option<SocketAddr>,
}

/// The way that connections to a host take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To an address of the host.
    Direct,
    /// Through a proxy.
    Proxy {
        /// Where the proxy is, and the setting that says so, for people. No user, no password.
        name: String,
        /// Whether the proxy looks the host up, so that this machine need not.
        looks_up: bool,
    },
}

/// Dials servers. Every connection is opened here.
///
/// # Contract
///
/// - Addresses are tried as in RFC 8305 ("Happy Eyeballs"): address families alternate, and the next address is tried
///   250 ms after the previous one or when that fails. The first connection is used, and the others are dropped.
/// - The address that connected last is tried first, unless the order is random. An address that failed within the last
///   minute is tried last.
/// - An answer of the system's resolver is used again for up to 60 s, unless no address connected.
/// - An error is [`NotFound`](crate::ErrorKind::NotFound) if the host does not exist, otherwise
///   [`Unavailable`](crate::ErrorKind::Unavailable), and names every address with its failure.
///   An error of a [proxy](Route::Proxy) names the proxy and its answer.
/// - **Cancellation:** dropping the future closes all sockets.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait Dial: fmt::Debug + MaybeSend + MaybeSync {
    /// Connects to the first address of `target` that accepts.
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
    /// if this process may not use it, [`Unsupported`](crate::ErrorKind::Unsupported) on platforms without Unix sockets,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) otherwise.
    async fn dial_unix(&self, path: &Path) -> Result<Box<dyn ByteStream>>;

    /// The way of connections to `host`. Sends nothing. Default: [`Direct`](Route::Direct).
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) if a setting stands in the way of every such connection.
    fn route(&self, _host: &str, _port: u16) -> Result<Route> {
        Ok(Route::Direct)
    }
}

impl fmt::Debug for Dialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed").field("peer", &self.peer).finish_non_exhaustive()
    }
}
