//! HTTP by hyper on the sockets of any runtime, with idle connections kept for the next request.
//!
//! No task drives a connection: the request that uses it does, and while it is idle nobody does. So
//! dropping a request closes its connection, and dropping the client closes all.

mod exchange;
mod tunnel;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Request, Response, Uri};
use hyper::client::conn::http1::handshake;
use lakebase_core::{Clock as _, Error, ErrorKind, HttpClient, Result};
use rustls::pki_types::ServerName;

use self::exchange::{Failure, Link, exchange, origin_form};
use crate::failure;
use crate::http_proxy::{HttpProxies, HttpProxy, HttpProxyError};
use crate::net::{HttpStream, Net};
use crate::trust::Roots;
use crate::{Options, SystemClock, hosts};

/// Idle connections per host and way to it.
const MAX_IDLE: usize = 4;
/// Well below the idle limits of usual load balancers, so that a request rarely meets a closed connection.
const IDLE: Duration = Duration::from_secs(30);

pub(crate) struct HyperClient<N> {
    net: N,
    roots: Roots,
    proxies: HttpProxies,
    proxy_timeout: Duration,
    idle: Mutex<HashMap<String, Vec<Link>>>,
}

impl<N: Net> HyperClient<N> {
    pub(crate) fn new(net: N, options: &Options) -> Self {
        Self {
            net,
            roots: Roots::new(options),
            proxies: options.http_proxies.clone(),
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
    async fn connect(&self, uri: &Uri, proxy: Option<&HttpProxy>, place: &str) -> Result<Link> {
        let name = uri.host().unwrap_or_default();
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let failed = |error| failure::exchange(place, error);
        let mut stream = match proxy {
            None => self.net.plain(self.dial(name, port).await.map_err(failed)?),
            Some(proxy) => self.through(proxy, &format!("{name}:{port}"), place).await?,
        };
        if is_tls {
            stream = self.secure(stream, name, place, failed).await?;
        }
        let (sender, driver) =
            handshake(stream).await.map_err(|error| failure::exchange(place, error))?;
        Ok(Link { sender, driver, idle_since: Duration::ZERO })
    }

    /// The way to `target` that `proxy` opens, within the time that it has for that.
    async fn through(
        &self,
        proxy: &HttpProxy,
        target: &str,
        place: &str,
    ) -> Result<Box<dyn HttpStream>> {
        let failed = |error: io::Error| {
            let problem = HttpProxyError::unreachable("the proxy cannot be reached");
            problem.with_source(error).into_error(place)
        };
        let work = async {
            let tcp = self.dial(proxy.host(), proxy.port()).await.map_err(failed)?;
            let mut stream = self.net.plain(tcp);
            if proxy.is_tls() {
                stream = self.secure(stream, proxy.host(), place, failed).await?;
            }
            tunnel::open(stream, proxy, target, place).await
        };
        match select(pin!(work), self.net.sleep(self.proxy_timeout)).await {
            Either::Left((stream, _)) => stream,
            Either::Right(_) => Err(HttpProxyError::silent(self.proxy_timeout, place)),
        }
    }

    /// The same stream inside TLS, once the other end is verified to be `name`.
    async fn secure(
        &self,
        stream: Box<dyn HttpStream>,
        name: &str,
        place: &str,
        failed: impl Fn(io::Error) -> Error,
    ) -> Result<Box<dyn HttpStream>> {
        let inner = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server = ServerName::try_from(inner).map_err(|error| {
            let message = format!("{name:?} is not a host name that TLS can verify");
            Error::new(ErrorKind::Config, message).with_source(error)
        })?;
        let tls = self.net.tls(stream, self.roots.config()?, server).await;
        tls.map_err(|error| self.roots.explain(place, failed(error)))
    }

    /// Connects to the first address of `name` that answers.
    async fn dial(&self, name: &str, port: u16) -> io::Result<N::Tcp> {
        let addresses = hosts::resolve(name, |name| self.net.look_up(name));
        let mut problem = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses.await.map_err(io::Error::other)? {
            match self.net.tcp(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => problem = error,
            }
        }
        Err(problem)
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
