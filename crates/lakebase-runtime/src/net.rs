//! What DNS and the relay need from a runtime's sockets; one implementation per family of sockets.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::{BoxFuture, Result};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// A connection that hyper can use: TCP, TLS, or either of them through a proxy.
pub(crate) trait HttpStream: hyper::rt::Read + hyper::rt::Write + Send + Unpin {}
impl<T: hyper::rt::Read + hyper::rt::Write + Send + Unpin> HttpStream for T {}

/// Sockets, timers and tasks of one runtime, without choosing its stream traits.
pub(crate) trait Net: Clone + fmt::Debug + Send + Sync + 'static {
    /// A TCP connection.
    type Tcp: Send + 'static;
    /// A UDP socket that talks to one peer.
    type Udp: Send + Sync + 'static;
    /// A listening Unix socket.
    #[cfg(unix)]
    type Listener: Send + Sync + 'static;
    /// A connection of a Unix socket.
    #[cfg(unix)]
    type Unix: Send + 'static;

    /// Fails where the runtime's sockets could not be used, which otherwise would panic.
    fn check(&self) -> Result<()>;

    /// What connections are bound to: none may be used where this differs from where it was opened.
    fn scope(&self) -> String {
        String::new()
    }

    /// Asks the system's resolver.
    fn look_up(&self, host: String) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A connection as hyper takes it.
    fn plain(&self, tcp: Self::Tcp) -> Box<dyn HttpStream>;

    /// The same stream inside TLS, once the other end is verified to be `name`.
    fn tls(
        &self,
        stream: Box<dyn HttpStream>,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> impl Future<Output = io::Result<Box<dyn HttpStream>>> + Send;

    /// Connects, and switches Nagle's algorithm off.
    fn tcp(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Tcp>> + Send;

    /// Writes all of `message`.
    fn write(
        &self,
        to: &mut Self::Tcp,
        message: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Fills `buffer`.
    fn read(
        &self,
        from: &mut Self::Tcp,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Binds a port of the system's choice, and drops what comes from anybody but `peer`.
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
    #[cfg(unix)]
    fn listen(&self, listener: std::os::unix::net::UnixListener) -> io::Result<Self::Listener>;

    /// Waits for the next client.
    #[cfg(unix)]
    fn accept(
        &self,
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<Self::Unix>> + Send;

    /// Copies both directions, each until its end, passing the end on.
    #[cfg(unix)]
    fn copy(
        &self,
        client: Self::Unix,
        server: Self::Tcp,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Completes once `duration` has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs `task` detached.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// The local address that reaches `peer`: any address of its family, any port.
pub(crate) fn unspecified(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// The result of `work`, or an error of kind `TimedOut` after `limit`.
pub(crate) async fn within<N: Net, T>(
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
