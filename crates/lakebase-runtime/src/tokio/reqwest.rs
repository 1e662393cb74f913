//! HTTP by reqwest: one client per tokio runtime.
//!
//! reqwest's connections are tasks of the runtime that made them. Were a client shared by two runtimes, the
//! second could pick a pooled connection that nobody drives any more and wait for ever.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::reqwest::Client;
use ::reqwest::redirect::Policy;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use lakebase_core::{Error, ErrorKind, HttpClient, Result};
use tokio::runtime::{Handle, Id};

use crate::Options;
use crate::failure::{self, MAX_REPLY};
use crate::trust::Roots;

/// How many runtimes have a client at the same time; the oldest one's goes first.
const MAX_CLIENTS: usize = 8;
/// Well below the idle limits of usual load balancers, so that a request rarely meets a closed connection.
const IDLE: Duration = Duration::from_secs(30);

pub(super) struct ReqwestClient {
    roots: Roots,
    clients: Mutex<Vec<(Id, Client)>>,
}

impl ReqwestClient {
    pub(super) fn new(options: &Options) -> Self {
        Self { roots: Roots::new(options), clients: Mutex::new(Vec::new()) }
    }

    /// The client of the current runtime.
    fn client(&self) -> Result<Client> {
        let id = Handle::try_current().map_err(|_| failure::no_context())?.id();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == id) {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .tls_backend_preconfigured(rustls::ClientConfig::clone(&*self.roots.config()?))
            .redirect(Policy::none())
            .retry(::reqwest::retry::never())
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| {
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
        let failed = |error: ::reqwest::Error| {
            self.roots.explain(&host, failure::exchange(&host, error.without_url()))
        };
        let client = self.client()?;
        let request = ::reqwest::Request::try_from(request).map_err(|error| {
            let message = format!("a request to {host} has a URL that cannot be read");
            Error::new(ErrorKind::Config, message).with_source(error.without_url())
        })?;
        let mut reply = client.execute(request).await.map_err(failed)?;
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
}

impl fmt::Debug for ReqwestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestClient").field("roots", &self.roots).finish_non_exhaustive()
    }
}
