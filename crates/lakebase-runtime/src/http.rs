//! HTTP by hyper on the sockets of any runtime, with idle connections kept for the next request.
//!
//! No task drives a connection: the request that uses it does, and while it is idle nothing does. So
//! dropping a request closes its connection, and dropping the client closes all.

mod exchange;
mod hyper_io;
mod tunnel;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Request, Response, Uri};
use hyper::client::conn::http1::handshake;
use lakebase_core::connect::{LoadBalanceHosts, TcpOptions};
use lakebase_core::effect::{ByteStream, DialTarget};
use lakebase_core::{Clock as _, Error, ErrorKind, HttpClient, Result};
use lakebase_session::TlsStream;
use rustls::pki_types::ServerName;

use self::exchange::{Failure, Link, exchange, origin_form};
use self::hyper_io::HyperIo;
use crate::dial::Dialer;
use crate::failure;
use crate::net::Net;
use crate::proxies::{Proxies, Proxy, ProxyError};
use crate::trust::Roots;
use crate::{Options, SystemClock};

/// How long all addresses of a host together may take to answer: half of what callers allow for a request.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections per host and way to it.
const MAX_IDLE: usize = 4;
/// Well below the idle limits of usual load balancers, so that a request rarely meets a closed connection.
const IDLE: Duration = Duration::from_secs(30);

pub(crate) struct HyperClient<N> {
    net: N,
    dialer: Arc<Dialer<N>>,
    roots: Roots,
    proxies: Proxies,
    proxy_timeout: Duration,
    idle: Mutex<HashMap<String, Vec<Link>>>,
}

impl<N: Net> HyperClient<N> {
    pub(crate) fn new(net: N, dialer: Arc<Dialer<N>>, options: &Options) -> Self {
        Self {
            net,
            dialer,
            roots: Roots::new(options),
            proxies: options.proxies.clone(),
            proxy_timeout: options.proxy_timeout,
            idle: Mutex::new(HashMap::new()),
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<String, Vec<Link>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to `origin` that was used last. Those that were idle for too long are closed.
    fn take_idle(&self, origin: &str) -> Option<Link> {
        let now = SystemClock.monotonic();
        let mut idle = self.idle();
        idle.retain(|_, links| {
            links.retain(|link| now.saturating_sub(link.idle_since) < IDLE);
            !links.is_empty()
        });
        idle.get_mut(origin)?.pop()
    }

    fn keep(&self, origin: String, mut link: Link) {
        link.idle_since = SystemClock.monotonic();
        let mut idle = self.idle();
        let links = idle.entry(origin).or_default();
        if links.len() < MAX_IDLE {
            links.push(link);
        }
    }

    /// A connection to `uri`, through `proxy` if there is one; errors name `place`.
    async fn connect(&self, uri: &Uri, proxy: Option<&Proxy>, place: &str) -> Result<Link> {
        let name = uri.host().unwrap_or_default();
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let failed = |error: io::Error| failure::exchange(place, error);
        let mut stream = match proxy {
            None => {
                let dialed = self.dial(name, port).await;
                dialed.map_err(|error| failure::exchange(place, error))?
            }
            Some(proxy) if proxy.is_socks() => self.socks(proxy, name, port, place).await?,
            Some(proxy) => self.through(proxy, &format!("{name}:{port}"), place).await?,
        };
        if is_tls {
            stream = self.secure(stream, name, place, failed).await?;
        }
        let (sender, driver) =
            handshake(HyperIo(stream)).await.map_err(|error| failure::exchange(place, error))?;
        Ok(Link { sender, driver, idle_since: Duration::ZERO })
    }

    /// The way to `target` that `proxy` opens, within the time that it has for that.
    async fn through(
        &self,
        proxy: &Proxy,
        target: &str,
        place: &str,
    ) -> Result<Box<dyn ByteStream>> {
        let failed = |error: io::Error| {
            let problem = ProxyError::unreachable("the proxy cannot be reached");
            problem.with_source(error).into_error(place)
        };
        let work = async {
            let dialed = self.dial(proxy.host(), proxy.port()).await;
            let mut stream = dialed.map_err(|error| {
                let problem = ProxyError::unreachable("the proxy cannot be reached");
                problem.with_source(error).into_error(place)
            })?;
            if proxy.is_tls() {
                stream = self.secure(stream, proxy.host(), place, failed).await?;
            }
            tunnel::open(stream, proxy, target, place).await
        };
        match select(pin!(work), self.net.sleep(self.proxy_timeout)).await {
            Either::Left((stream, _)) => stream,
            Either::Right(_) => Err(ProxyError::no_way(self.proxy_timeout).into_error(place)),
        }
    }

    /// The same where `proxy` speaks SOCKS.
    async fn socks(
        &self,
        proxy: &Proxy,
        name: &str,
        port: u16,
        place: &str,
    ) -> Result<Box<dyn ByteStream>> {
        let addresses = match proxy.looks_up() {
            true => Vec::new(),
            false => self.dialer.addresses(name).await.map_err(|error| {
                Error::new(error.kind(), format!("could not reach {place}")).with_source(error)
            })?,
        };
        let target =
            DialTarget { addresses: &addresses, timeout: self.proxy_timeout, ..target(name, port) };
        let dialed = self.dialer.through(proxy, target).await;
        Ok(dialed.map_err(|problem| problem.into_error(place))?.stream)
    }

    /// The same stream inside TLS, once the other end is verified to be `name`.
    async fn secure(
        &self,
        stream: Box<dyn ByteStream>,
        name: &str,
        place: &str,
        failed: impl Fn(io::Error) -> Error,
    ) -> Result<Box<dyn ByteStream>> {
        let inner = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server = ServerName::try_from(inner).map_err(|error| {
            let message = format!("{name:?} is not a host name that TLS can verify");
            Error::new(ErrorKind::Config, message).with_source(error)
        })?;
        let tls = TlsStream::connect(stream, self.roots.config()?, server).await;
        Ok(Box::new(tls.map_err(|error| self.roots.explain(place, failed(error)))?))
    }

    /// Connects to the first address of `name` that answers.
    async fn dial(&self, name: &str, port: u16) -> Result<Box<dyn ByteStream>> {
        Ok(self.dialer.directly(target(name, port)).await?.stream)
    }
}

fn target(name: &str, port: u16) -> DialTarget<'_> {
    DialTarget {
        host: name,
        addresses: &[],
        port,
        tcp: TcpOptions::default(),
        load_balance_hosts: LoadBalanceHosts::Disable,
        timeout: DIAL_TIMEOUT,
    }
}

#[async_trait]
impl<N: Net> HttpClient for HyperClient<N> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.net.check()?;
        let uri = request.uri().clone();
        let host = failure::authority(&uri)?;
        let proxy = self.proxies.proxy(&uri)?;
        let place = proxy.map_or_else(|| host.clone(), |proxy| proxy.way_to(&host));
        let scheme = uri.scheme_str().unwrap_or_default();
        let origin = format!("{scheme}://{place} {}", self.net.scope());
        let mut request = origin_form(request, &host)?;
        loop {
            let (link, is_fresh) = match self.take_idle(&origin) {
                Some(link) => (link, false),
                None => (self.connect(&uri, proxy, &place).await?, true),
            };
            match exchange(link, request).await {
                Ok((response, link)) => {
                    if let Some(link) = link {
                        self.keep(origin, link);
                    }
                    return Ok(response);
                }
                // Each round uses up an idle connection, so this ends with a fresh one.
                Err(Failure::NotSent(returned)) if !is_fresh => request = *returned,
                Err(Failure::NotSent(_)) => {
                    let closed = io::Error::from(io::ErrorKind::ConnectionAborted);
                    return Err(failure::exchange(&place, closed));
                }
                Err(Failure::Broken(error)) => return Err(failure::exchange(&place, error)),
                Err(Failure::TooLarge) => return Err(failure::too_large(&host)),
            }
        }
    }

    fn route(&self, uri: &Uri) -> Result<String> {
        self.proxies.route(uri)
    }
}

impl<N> fmt::Debug for HyperClient<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperClient")
            .field("roots", &self.roots)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}
