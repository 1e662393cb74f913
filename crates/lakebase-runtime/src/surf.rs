//! HTTP by surf, for programs that are bound to it. Its state is described in the crate's documentation.

use std::fmt;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::AsyncReadExt as _;
use http::header::{HeaderName, HeaderValue};
use lakebase_core::{Error, ErrorKind, HttpClient, Result};

use crate::Options;
use crate::failure::{self, MAX_REPLY};

/// Sends through one surf client: no middleware, so neither redirects nor logs; no time-out.
pub(crate) struct SurfClient {
    client: surf::Client,
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
        let client = surf::Config::new().set_timeout(None).try_into().map_err(|error| {
            Error::new(ErrorKind::Tls, "could not set up surf").with_source(error)
        })?;
        Ok(Self { client })
    }
}

#[async_trait]
impl HttpClient for SurfClient {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let host = failure::authority(request.uri())?;
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
                let value = HeaderValue::from_str(value.as_str());
                response.headers_mut().append(name.clone(), value.map_err(|_| garbled("header"))?);
            }
        }
        let mut reader = incoming.take_body().into_reader();
        let mut collected = BytesMut::new();
        let mut buffer = [0; 8192];
        loop {
            let read = reader.read(&mut buffer).await;
            let length = read.map_err(|error| failure::exchange(&host, error))?;
            if length == 0 {
                break;
            }
            if collected.len() + length > MAX_REPLY {
                return Err(failure::too_large(&host));
            }
            collected.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
        *response.body_mut() = collected.freeze();
        Ok(response)
    }
}

impl fmt::Debug for SurfClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SurfClient").finish_non_exhaustive()
    }
}
