//! A runtime's sockets, as DNS, HTTP and local sockets need them; one implementation per family of sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::effect::ByteStream;
use lakebase_core::{HttpClient, Runtime, Spawn};

use crate::dial::{Connect, Dialer};
use crate::dns::DirectResolver;
use crate::http::HyperClient;
use crate::listen::{SocketListen, StdListener};
use crate::process::ThreadProcess;
use crate::{Options, SystemClock};

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

/// All effects over `net`; HTTP by hyper unless another client is given.
pub(crate) fn assemble<N: Net>(
    net: N,
    options: &Options,
    http: Option<Arc<dyn HttpClient>>,
) -> Runtime {
    let clock = Arc::new(SystemClock);
    let dialer = Arc::new(Dialer::new(net.clone(), clock.clone(), options.proxies.clone()));
    let dns = DirectResolver::new(net.clone(), Arc::clone(&dialer), clock.clone(), options);
    let hyper = || Arc::new(HyperClient::new(net.clone(), Arc::clone(&dialer), options));
    Runtime {
        clock,
        timer: Arc::new(net.clone()),
        spawn: Some(Arc::new(net.clone())),
        http: http.unwrap_or_else(|| hyper()),
        hosts: Arc::clone(&dialer) as _,
        fallback_hosts: Some(Arc::new(dns)),
        process: Arc::new(ThreadProcess),
        listen: Arc::new(SocketListen::new(net, options)),
        dial: dialer,
    }
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
