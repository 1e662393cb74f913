//! A runtime's sockets, as DNS, HTTP and local sockets need them; one implementation per family of sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use lakebase_core::Spawn;
use lakebase_core::effect::ByteStream;

use crate::dial::Connect;

/// A socket that is bound to no runtime.
pub(crate) enum StdListener {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

impl StdListener {
    /// Another handle of the same socket.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            #[cfg(unix)]
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }
}

/// Sockets, timers and tasks of one runtime.
pub(crate) trait Net: Connect + Spawn + Clone {
    /// A UDP socket that talks to one peer.
    type Udp: Send + Sync + 'static;
    /// A listening socket.
    type Listener: Send + Sync + 'static;

    /// The scope that connections are bound to: one may be used only in the scope that it was opened in.
    fn scope(&self) -> String {
        String::new()
    }

    /// Binds a port of the system's choice, and drops what comes from others than `peer`.
    fn udp(&self, peer: SocketAddr) -> impl Future<Output = io::Result<Self::Udp>> + Send;

    /// Sends one datagram.
    fn send(&self, over: &Self::Udp, message: &[u8])
    -> impl Future<Output = io::Result<()>> + Send;

    /// Receives one datagram, cut to the buffer's length.
    fn receive(
        &self,
        over: &Self::Udp,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Takes a bound listener over.
    fn listen(&self, listener: StdListener) -> io::Result<Self::Listener>;

    /// Waits for the next client.
    fn accept(
        &self,
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<Box<dyn ByteStream>>> + Send;
}

/// The local address that reaches `peer`: any address of its family, any port.
pub(crate) fn unspecified(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// The result of `work`, or an error of kind `TimedOut` after `limit`.
pub(crate) async fn within<N: Connect, T>(
    net: &N,
    limit: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let work = std::pin::pin!(work);
    match futures_util::future::select(work, net.sleep(limit)).await {
        futures_util::future::Either::Left((result, _)) => result,
        futures_util::future::Either::Right(((), _)) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}")))
        }
    }
}
