//! HTTP by reqwest: one client per tokio runtime.
//!
//! reqwest's connections are tasks of the runtime that made them. Were a client shared by two runtimes, the
//! second could pick a pooled connection that no task drives any more and wait for ever.
//!
//! Which proxy a request goes through is decided by our rules, not by reqwest's. What it tells of a proxy that
//! refused is less than hyper's own client does: no status but 407.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::reqwest::redirect::Policy;
use ::reqwest::{Client, Url};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use lakebase_core::{Error, ErrorKind, HttpClient, Result, causes};
use tokio::runtime::{Handle, Id};

use crate::failure::{self, MAX_REPLY};
use crate::trust::Roots;
use crate::{Options, Proxies, Proxy, ProxyError};

/// How many runtimes have a client at the same time; the oldest one's goes first.
const MAX_CLIENTS: usize = 8;
/// Well below the idle limits of usual load balancers, so that a request rarely meets a closed connection.
const IDLE: Duration = Duration::from_secs(30);

const NEEDS_USER: StatusCode = StatusCode::PROXY_AUTHENTICATION_REQUIRED;

pub(super) struct ReqwestClient {
    roots: Roots,
    proxies: Proxies,
    proxy_timeout: Duration,
    clients: Mutex<Vec<(Id, Client)>>,
}

impl ReqwestClient {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            roots: Roots::new(options),
            proxies: options.proxies.clone(),
            proxy_timeout: options.proxy_timeout,
            clients: Mutex::new(Vec::new()),
        }
    }

    /// The client of the current runtime.
    fn client(&self) -> Result<Client> {
        let id = Handle::try_current().map_err(|_| failure::no_context())?.id();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == id) {
            return Ok(client.clone());
        }
        let mut builder = Client::builder()
            .tls_backend_preconfigured(rustls::ClientConfig::clone(&*self.roots.config()?))
            .redirect(Policy::none())
            .retry(::reqwest::retry::never())
            .no_proxy()
            .pool_idle_timeout(IDLE);
        if !self.proxies.is_empty() {
            let proxies = self.proxies.clone();
            let choose = move |url: &Url| target(proxies.proxy(&url.as_str().parse().ok()?).ok()??);
            builder =
                builder.proxy(::reqwest::Proxy::custom(choose)).connect_timeout(self.proxy_timeout);
        }
        let client = builder.build().map_err(|error| {
            Error::new(ErrorKind::Tls, "could not set up the HTTP client").with_source(error)
        })?;
        if clients.len() >= MAX_CLIENTS {
            clients.remove(0);
        }
        clients.push((id, client.clone()));
        Ok(client)
    }
}

#[async_trait]
impl HttpClient for ReqwestClient {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let host = failure::authority(request.uri())?;
        let proxy = self.proxies.proxy(request.uri())?;
        // reqwest would go directly where it cannot read a proxy's URL.
        if let Some(proxy) = proxy.filter(|proxy| target(proxy).is_none()) {
            let message = format!("reqwest cannot read the URL of the proxy {proxy}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let is_tls = request.uri().scheme_str() == Some("https");
        let place = proxy.map_or_else(|| host.clone(), |proxy| proxy.way_to(&host));
        let failed = |error: ::reqwest::Error| {
            let problem = proxy.and_then(|proxy| at_proxy(proxy, &error));
            let error = error.without_url();
            let error = match problem {
                None if proxy.is_some() && error.is_timeout() => {
                    return ProxyError::no_way(self.proxy_timeout).into_error(&place);
                }
                Some(problem) => problem.with_source(error).into_error(&place),
                None => failure::exchange(&place, error),
            };
            self.roots.explain(&place, error)
        };
        let client = self.client()?;
        let request = ::reqwest::Request::try_from(request).map_err(|error| {
            let message = format!("a request to {host} has a URL that cannot be read");
            Error::new(ErrorKind::Config, message).with_source(error.without_url())
        })?;
        let mut reply = client.execute(request).await.map_err(failed)?;
        // Plain requests are answered by the proxy itself if it does not let them through.
        if let Some(proxy) = proxy
            && !is_tls
            && reply.status() == NEEDS_USER
        {
            let problem = ProxyError::authentication_required(NEEDS_USER, proxy);
            return Err(problem.into_error(&place));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = reply.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_REPLY {
                return Err(failure::too_large(&host));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = http::Response::new(body.freeze());
        *response.status_mut() = reply.status();
        *response.version_mut() = reply.version();
        *response.headers_mut() = std::mem::take(reply.headers_mut());
        Ok(response)
    }

    fn route(&self, uri: &http::Uri) -> Result<String> {
        self.proxies.route(uri)
    }
}

/// The proxy as reqwest takes it, with user and password.
fn target(proxy: &Proxy) -> Option<Url> {
    Url::parse(proxy.full_url().expose()).ok()
}

/// Reads from the text of reqwest's error what went wrong at `proxy`; there is no other sign.
fn at_proxy(proxy: &Proxy, error: &::reqwest::Error) -> Option<ProxyError> {
    let unreachable = || ProxyError::unreachable("the proxy cannot be reached");
    let refused = || ProxyError::refused(ErrorKind::Unavailable, "the proxy refuses");
    causes(error).find_map(|cause| {
        let text = cause.to_string();
        if let Some(problem) = text.strip_prefix("tunnel error: ") {
            return Some(match problem {
                "proxy authorization required" => {
                    ProxyError::authentication_required(NEEDS_USER, proxy)
                }
                "unsuccessful" => refused(),
                _ => unreachable(),
            });
        }
        let (_, problem) = text.split_once("SOCKS error: ")?;
        // It could not be reached, or did not answer as such a proxy does.
        let silent = ["fail", "io ", "server implements"];
        Some(match problem {
            "credentials not accepted" | "server does not support user/pass authentication" => {
                ProxyError::authentication_required(problem, proxy)
            }
            _ if silent.iter().any(|start| problem.starts_with(start)) => unreachable(),
            _ => refused(),
        })
    })
}

impl fmt::Debug for ReqwestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestClient").field("roots", &self.roots).finish_non_exhaustive()
    }
}
