//! Opens every TCP connection of this crate, and of the users of a runtime's [`Dial`].
//!
//! Addresses are raced as RFC 8305 says ([`race`]); which of them come first is remembered ([`memory`]). Connections to Postgres
//! may go through a SOCKS proxy ([`through`]).

mod memory;
mod race;
mod socks;
mod through;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lakebase_core::connect::{Keepalive, LoadBalanceHosts, TcpOptions};
use lakebase_core::effect::{ByteStream, DialTarget, Dialed, Route};
use lakebase_core::{Clock, Dial, Error, ErrorKind, HostResolver, Jitter, Result, Timer};
use socket2::{SockRef, TcpKeepalive};

use self::memory::Memory;
pub(crate) use self::race::Outcome;
use self::race::race;
use crate::Proxies;
use crate::hosts;

/// The effects that a dialer needs from a runtime.
pub(crate) trait Connect: Timer + Send + Sync + 'static {
    /// Fails where the runtime's sockets could not be used, which otherwise would panic.
    fn check(&self) -> Result<()>;

    /// Asks the system's resolver.
    fn look_up(&self, host: String) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to one address and sets the options.
    fn tcp(
        &self,
        to: SocketAddr,
        options: TcpOptions,
    ) -> impl Future<Output = io::Result<Box<dyn ByteStream>>> + Send;

    /// Connects to a Unix socket.
    #[cfg(unix)]
    fn unix(&self, path: &Path) -> impl Future<Output = io::Result<Box<dyn ByteStream>>> + Send;
}

/// Opens connections with the sockets of `N`.
#[derive(Debug)]
pub(crate) struct Dialer<N> {
    net: N,
    clock: Arc<dyn Clock>,
    proxies: Proxies,
    memory: Mutex<Memory>,
}

impl<N: Connect> Dialer<N> {
    pub(crate) fn new(net: N, clock: Arc<dyn Clock>, proxies: Proxies) -> Self {
        Self { net, clock, proxies, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first of `addresses` that answers; in random order with `jitter`.
    pub(crate) async fn connect(
        &self,
        addresses: &[SocketAddr],
        tcp: TcpOptions,
        jitter: Option<Jitter>,
        timeout: Duration,
    ) -> Result<Dialed, Vec<(SocketAddr, Outcome)>> {
        self.first(addresses, jitter, timeout, |address| self.net.tcp(address, tcp)).await
    }

    /// The first of `addresses` that `connect` reaches.
    async fn first<F>(
        &self,
        addresses: &[SocketAddr],
        jitter: Option<Jitter>,
        timeout: Duration,
        connect: impl Fn(SocketAddr) -> F + Send,
    ) -> Result<Dialed, Vec<(SocketAddr, Outcome)>>
    where
        F: Future<Output = io::Result<Box<dyn ByteStream>>> + Send,
    {
        let order = self.memory().order(self.clock.monotonic(), addresses, jitter);
        let raced = race(&order, timeout, connect, |time| self.net.sleep(time)).await;
        let now = self.clock.monotonic();
        let mut memory = self.memory();
        match raced {
            Ok((peer, stream, failed)) => {
                failed.iter().for_each(|address| memory.failed(*address, now));
                memory.answered(peer, now);
                Ok(Dialed { stream, peer: Some(peer) })
            }
            Err(outcomes) => {
                outcomes.iter().for_each(|(address, _)| memory.failed(*address, now));
                Err(outcomes)
            }
        }
    }

    /// Connects to `target` itself, whatever proxies there are.
    pub(crate) async fn directly(&self, target: DialTarget<'_>) -> Result<Dialed> {
        self.net.check()?;
        let DialTarget { host, addresses, port, tcp, timeout, .. } = target;
        let at = |ip: &IpAddr| SocketAddr::new(*ip, port);
        let found: Vec<_> = match addresses {
            [] => self.addresses(host).await?.iter().map(at).collect(),
            given => given.iter().map(at).collect(),
        };
        self.connect(&found, tcp, jitter(&target), timeout).await.map_err(|outcomes| {
            self.memory().forget(host);
            failure(host, port, &outcomes)
        })
    }

    /// The answer of the system's resolver, at most a minute old.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>> {
        if let Some(address) = hosts::literal(host) {
            return Ok(vec![address]);
        }
        let known = self.memory().answer(host, self.clock.monotonic());
        match known {
            Some(addresses) => Ok(addresses),
            None => self.resolve(host).await,
        }
    }
}

#[async_trait]
impl<N: Connect> Dial for Dialer<N> {
    async fn dial(&self, target: DialTarget<'_>) -> Result<Dialed> {
        match self.proxies.postgres_proxy(target.host, target.port)? {
            None => self.directly(target).await,
            Some(proxy) => self.postgres(proxy, target).await,
        }
    }

    fn route(&self, host: &str, port: u16) -> Result<Route> {
        let proxy = self.proxies.postgres_proxy(host, port)?;
        Ok(proxy.map_or(Route::Direct, |proxy| Route::Proxy {
            name: proxy.to_string(),
            looks_up: proxy.looks_up(),
        }))
    }

    async fn dial_unix(&self, path: &Path) -> Result<Box<dyn ByteStream>> {
        self.net.check()?;
        #[cfg(unix)]
        return self.net.unix(path).await.map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                // The path is too long: tokio says the first, async-io the second.
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => ErrorKind::Config,
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, format!("could not connect to {path:?}")).with_source(error)
        });
        #[cfg(not(unix))]
        {
            let message =
                format!("this platform has no Unix sockets; could not connect to {path:?}");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

/// Asks each time; what it learns is used for connections to come.
#[async_trait]
impl<N: Connect> HostResolver for Dialer<N> {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>> {
        if hosts::literal(host).is_none() {
            self.net.check()?;
        }
        let found = hosts::resolve(host, |host| self.net.look_up(host)).await?;
        if hosts::literal(host).is_none() {
            self.memory().learn(host, &found, self.clock.monotonic());
        }
        Ok(found)
    }
}

/// Where the order shall be random: what makes it so.
fn jitter(target: &DialTarget<'_>) -> Option<Jitter> {
    (target.load_balance_hosts == LoadBalanceHosts::Random).then(Jitter::new)
}

fn failure(host: &str, port: u16, outcomes: &[(SocketAddr, Outcome)]) -> Error {
    let message = format!("could not connect to {host}:{port} ({})", describe(outcomes));
    Error::new(ErrorKind::Unavailable, message)
}

/// Names each address with what it did.
pub(crate) fn describe(outcomes: &[(SocketAddr, Outcome)]) -> String {
    let list: Vec<_> =
        outcomes.iter().map(|(address, outcome)| format!("{address}: {outcome}")).collect();
    match list.as_slice() {
        [] => "there is no address to connect to".to_owned(),
        list => list.join("; "),
    }
}

/// Sends small packets at once and has the system notice when the other side is gone.
#[cfg(unix)]
pub(crate) fn tune(socket: &impl std::os::fd::AsFd, options: TcpOptions) -> io::Result<()> {
    set(SockRef::from(socket), options)
}

/// Sends small packets at once and has the system notice when the other side is gone.
#[cfg(windows)]
pub(crate) fn tune(
    socket: &impl std::os::windows::io::AsSocket,
    options: TcpOptions,
) -> io::Result<()> {
    set(SockRef::from(socket), options)
}

fn set(socket: SockRef<'_>, options: TcpOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    if let Some(Keepalive { idle, interval, probes }) = options.keepalive {
        let mut keepalive = TcpKeepalive::new();
        if let Some(idle) = idle {
            keepalive = keepalive.with_time(idle);
        }
        if let Some(interval) = interval {
            keepalive = keepalive.with_interval(interval);
        }
        socket.set_keepalive(true)?;
        socket.set_tcp_keepalive(&keepalive)?;
        if let Some(probes) = probes {
            let counted = socket.set_tcp_keepalive(&keepalive.with_retries(probes));
            // Windows before 10 (1703), and Wine, always ask ten times.
            if !cfg!(windows) {
                counted?;
            }
        }
    }
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if options.user_timeout.is_some() {
        socket.set_tcp_user_timeout(options.user_timeout)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
