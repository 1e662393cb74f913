//! HTTP by surf, for programs that are bound to it. Its state is described in the crate's documentation.
//!
//! Faults of surf 2.3 with `h1-client` (http-client 6.5, async-h1 2.3), and their remedies here:
//!
//! - Its pool hands out connections on which an abandoned request's reply is still to come, so the next
//!   request may read that: keep-alive is off.
//! - A reply that ends early looks complete: its length is checked.
//! - A reply without any length looks empty: it is an error.
//! - A missing `Date` is made up from the local clock: that header is left out.
//! - It logs whole requests, with tokens, at level `trace` of the crate `log`: nothing is sent while the
//!   program's logger takes that.
//! - It knows no proxies: a request that would go through one is an error.
//! - Host names are looked up on the executor's thread, and only the first address is tried: it stays so.

use std::fmt;
use std::io;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::AsyncReadExt as _;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use lakebase_core::{Error, ErrorKind, HttpClient, Result};

use crate::failure::{self, MAX_REPLY};
use crate::{Options, Proxies};

/// Where async-h1 logs requests and replies, with their headers.
const LEAKY: &str = "async_h1::client";

/// Sends through one surf client: no middleware, so neither redirects nor logs; no time-out.
pub(crate) struct SurfClient {
    client: surf::Client,
    proxies: Proxies,
}

impl SurfClient {
    /// Fails if the options hold certificates, which surf's TLS could not be told about.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        if !options.roots.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "surf cannot be given extra root certificates; name their file in SSL_CERT_FILE, or use the \
                 runtime's own HTTP client",
            ));
        }
        let client =
            surf::Config::new().set_timeout(None).set_http_keep_alive(false).try_into().map_err(
                |error| Error::new(ErrorKind::Tls, "could not set up surf").with_source(error),
            )?;
        Ok(Self { client, proxies: options.proxies.clone() })
    }
}

#[async_trait]
impl HttpClient for SurfClient {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let host = failure::authority(request.uri())?;
        self.route(request.uri())?;
        if log::log_enabled!(target: LEAKY, log::Level::Trace) {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "nothing is sent to {host} by surf while the logger takes the target {LEAKY} at level trace,                      because surf's HTTP library writes whole requests there, tokens and all; switch that target off"
                ),
            ));
        }
        let failed = |error: surf::Error| {
            // surf's TLS errors are text only.
            let text = format!("{error:?}").to_ascii_lowercase();
            let is_tls = ["certificate", "tls", "ssl"].iter().any(|word| text.contains(word));
            let source = error.into_inner();
            let (kind, what) = if is_tls {
                (ErrorKind::Tls, "could not set up TLS with")
            } else {
                (ErrorKind::Unavailable, "could not reach")
            };
            Error::new(kind, format!("{what} {host}")).with_source(source.to_string())
        };
        let unfit = |what: &str| {
            let message = format!("a request to {host} has an unfit {what}");
            Error::new(ErrorKind::Config, message)
        };
        let (parts, body) = request.into_parts();
        let method = parts.method.as_str().parse().map_err(|_| unfit("method"))?;
        let url = parts.uri.to_string().parse().map_err(|_| unfit("URL"))?;
        let mut outgoing = surf::Request::new(method, url);
        for (name, value) in &parts.headers {
            let value = value.to_str().map_err(|_| unfit("header"))?;
            outgoing.append_header(name.as_str(), value);
        }
        outgoing.set_body(body.as_ref());
        if !parts.headers.contains_key(CONTENT_TYPE) {
            outgoing.remove_header(CONTENT_TYPE.as_str());
        }
        let mut incoming = self.client.send(outgoing).await.map_err(failed)?;
        let mut response = http::Response::new(Bytes::new());
        let garbled = |what: &str| {
            Error::new(ErrorKind::Protocol, format!("the reply of {host} has an unreadable {what}"))
        };
        *response.status_mut() = http::StatusCode::from_u16(u16::from(incoming.status()))
            .map_err(|_| garbled("status"))?;
        for (name, values) in incoming.iter() {
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            let name = name.map_err(|_| garbled("header"))?;
            for value in values {
                if name == DATE && value.as_str().starts_with("date:") {
                    continue;
                }
                let value = HeaderValue::from_str(value.as_str());
                response.headers_mut().append(name.clone(), value.map_err(|_| garbled("header"))?);
            }
        }
        let headers = response.headers();
        let length =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let may_have_body = !matches!(response.status().as_u16(), 204 | 304);
        if length.is_none() && may_have_body && !headers.contains_key(TRANSFER_ENCODING) {
            return Err(garbled("length: it has none, which surf cannot read"));
        }
        let mut reader = incoming.take_body().into_reader();
        let mut collected = BytesMut::new();
        let mut buffer = [0; 8192];
        loop {
            let read = reader.read(&mut buffer).await;
            let read = read.map_err(|error| failure::exchange(&host, error))?;
            if read == 0 {
                break;
            }
            if collected.len() + read > MAX_REPLY {
                return Err(failure::too_large(&host));
            }
            collected.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        if length.is_some_and(|length: usize| length != collected.len()) && may_have_body {
            return Err(failure::exchange(&host, io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        *response.body_mut() = collected.freeze();
        Ok(response)
    }

    fn route(&self, uri: &http::Uri) -> Result<String> {
        let Some(proxy) = self.proxies.proxy(uri)? else { return self.proxies.route(uri) };
        let host = uri.host().unwrap_or_default();
        let message = format!(
            "surf knows no proxies, so it cannot reach {}; use the runtime's own HTTP client, or name the host in \
             NO_PROXY to reach it directly",
            proxy.way_to(host)
        );
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

impl fmt::Debug for SurfClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SurfClient").finish_non_exhaustive()
    }
}
