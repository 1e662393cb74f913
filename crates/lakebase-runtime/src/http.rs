//! HTTP by hyper on the sockets of any runtime, with idle connections kept for the next request.
//!
//! No task drives a connection: the request that uses it does, and while it is idle nobody does. So
//! dropping a request closes its connection, and dropping the client closes all.

mod hyper_io;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_rustls::TlsConnector;
use futures_util::future::{Either, select};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use lakebase_core::connect::{LoadBalanceHosts, TcpOptions};
use lakebase_core::effect::{ByteStream, DialTarget};
use lakebase_core::{Clock as _, Dial as _, Error, ErrorKind, HttpClient, Result};
use rustls::pki_types::ServerName;

use self::hyper_io::HyperIo;
use crate::dial::Dialer;
use crate::failure::{self, MAX_REPLY};
use crate::net::Net;
use crate::trust::Roots;
use crate::{Options, SystemClock};

/// How long all addresses of a host together may take to answer: half of what callers allow for a request.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections per host.
const MAX_IDLE: usize = 4;
/// Well below the idle limits of usual load balancers, so that a request rarely meets a closed connection.
const IDLE: Duration = Duration::from_secs(30);

/// A request's body: all of it at once.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// One connection, together with the machine that moves its bytes.
struct Link {
    sender: SendRequest<Whole>,
    driver: Connection<HyperIo, Whole>,
    idle_since: Duration,
}

/// How an exchange failed.
enum Failure {
    /// The connection was closed before the request was taken from us.
    NotSent(Box<Request<Whole>>),
    /// The server may have seen the request.
    Broken(hyper::Error),
    /// The reply is beyond the limit.
    TooLarge,
}

pub(crate) struct HyperClient<N> {
    net: N,
    dialer: Arc<Dialer<N>>,
    roots: Roots,
    idle: Mutex<HashMap<String, Vec<Link>>>,
}

impl<N: Net> HyperClient<N> {
    pub(crate) fn new(net: N, dialer: Arc<Dialer<N>>, options: &Options) -> Self {
        Self { net, dialer, roots: Roots::new(options), idle: Mutex::new(HashMap::new()) }
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

    async fn connect(&self, uri: &Uri, host: &str) -> Result<Link> {
        let name = uri.host().unwrap_or_default();
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let failed = |error: io::Error| failure::exchange(host, error);
        let target = DialTarget {
            host: name,
            addresses: &[],
            port,
            tcp: TcpOptions::default(),
            load_balance_hosts: LoadBalanceHosts::Disable,
            timeout: DIAL_TIMEOUT,
        };
        let dialed = self.dialer.dial(target).await;
        let tcp = dialed.map_err(|error| failure::exchange(host, error))?.stream;
        let stream: Box<dyn ByteStream> = if is_tls {
            let inner = name.trim_start_matches('[').trim_end_matches(']').to_owned();
            let server = ServerName::try_from(inner).map_err(|error| {
                let message = format!("{name:?} is not a host name that TLS can verify");
                Error::new(ErrorKind::Config, message).with_source(error)
            })?;
            let tls = TlsConnector::from(self.roots.config()?).connect(server, tcp).await;
            Box::new(tls.map_err(|error| self.roots.explain(host, failed(error)))?)
        } else {
            tcp
        };
        let (sender, driver) =
            handshake(HyperIo(stream)).await.map_err(|error| failure::exchange(host, error))?;
        Ok(Link { sender, driver, idle_since: Duration::ZERO })
    }
}

#[async_trait]
impl<N: Net> HttpClient for HyperClient<N> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.net.check()?;
        let uri = request.uri().clone();
        let host = failure::authority(&uri)?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let origin = format!("{scheme}://{host} {}", self.net.scope());
        let mut request = origin_form(request, &host)?;
        loop {
            let (link, is_fresh) = match self.take_idle(&origin) {
                Some(link) => (link, false),
                None => (self.connect(&uri, &host).await?, true),
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
                    return Err(failure::exchange(&host, closed));
                }
                Err(Failure::Broken(error)) => return Err(failure::exchange(&host, error)),
                Err(Failure::TooLarge) => return Err(failure::too_large(&host)),
            }
        }
    }
}

impl<N> fmt::Debug for HyperClient<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperClient").field("roots", &self.roots).finish_non_exhaustive()
    }
}

/// The request as it goes to an origin server: path only, the host as a header.
fn origin_form(request: Request<Bytes>, host: &str) -> Result<Request<Whole>> {
    let mut request = request.map(|body| Whole(Some(body).filter(|body| !body.is_empty())));
    let unfit = |what: &str| {
        Error::new(ErrorKind::Config, format!("a request to {host} has an unfit {what}"))
    };
    if !request.headers().contains_key(header::HOST) {
        let value = HeaderValue::from_str(host).map_err(|_| unfit("host"))?;
        request.headers_mut().insert(header::HOST, value);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| unfit("path"))?;
    *request.version_mut() = http::Version::HTTP_11;
    Ok(request)
}

/// Sends and reads over `link`, driving it; returns it if it can carry another request.
async fn exchange(
    link: Link,
    request: Request<Whole>,
) -> Result<(Response<Bytes>, Option<Link>), Failure> {
    let Link { mut sender, driver, idle_since } = link;
    let work = async move {
        // Sees an idle connection's end before the request is given away.
        if sender.ready().await.is_err() {
            return Err(Failure::NotSent(Box::new(request)));
        }
        let response =
            sender.try_send_request(request).await.map_err(|mut refused| {
                match refused.take_message() {
                    Some(request) => Failure::NotSent(Box::new(request)),
                    None => Failure::Broken(refused.into_error()),
                }
            })?;
        let (parts, mut incoming) = response.into_parts();
        let mut body = BytesMut::new();
        while let Some(frame) = next_frame(&mut incoming).await {
            let Ok(data) = frame.map_err(Failure::Broken)?.into_data() else {
                continue;
            };
            if body.len() + data.len() > MAX_REPLY {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&data);
        }
        let is_open = sender.ready().await.is_ok();
        Ok((Response::from_parts(parts, body.freeze()), is_open.then_some(sender)))
    };
    // The driver goes first: it notices what arrived while the connection was idle.
    match select(driver, Box::pin(work)).await {
        // `select` has dropped the driver, which ends whatever `work` waits for.
        Either::Left((_, work)) => Ok((work.await?.0, None)),
        Either::Right((result, driver)) => {
            let (response, sender) = result?;
            Ok((response, sender.map(|sender| Link { sender, driver, idle_since })))
        }
    }
}

async fn next_frame(body: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}
