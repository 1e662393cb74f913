//! HTTP that ends at one server, whatever host a request names.

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::lock;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use lakebase_core::{Error, ErrorKind, HttpClient, Result};

/// Sends requests for any other host to one server by plain HTTP, and keeps them.
///
/// So services with names of their own (Entra's, Google's, a machine's metadata service) can be emulated by one server
/// without a setting that would exist for tests only. TLS is lost on the way, which other tests are about.
pub struct RedirectedHttp {
    inner: Arc<dyn HttpClient>,
    authority: String,
    seen: Mutex<Vec<Request<Bytes>>>,
}

impl fmt::Debug for RedirectedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was asked holds secrets.
        f.debug_struct("RedirectedHttp").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl RedirectedHttp {
    /// Sends through `inner` to `authority`, which is host and port.
    #[must_use]
    pub fn new(inner: Arc<dyn HttpClient>, authority: impl Into<String>) -> Self {
        Self { inner, authority: authority.into(), seen: Mutex::default() }
    }

    /// All requests so far, as they were meant.
    #[must_use]
    pub fn seen(&self) -> Vec<Request<Bytes>> {
        lock(&self.seen).clone()
    }
}

#[async_trait]
impl HttpClient for RedirectedHttp {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        lock(&self.seen).push(request.clone());
        let uri = request.uri();
        if uri.authority().is_none_or(|authority| *authority != *self.authority) {
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            let led: Result<Uri, _> = format!("http://{}{path}", self.authority).parse();
            *request.uri_mut() = led.map_err(|error| {
                Error::new(ErrorKind::Config, "the server is not an address").with_source(error)
            })?;
        }
        self.inner.send(request).await
    }
}
