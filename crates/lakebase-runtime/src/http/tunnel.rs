//! The way through a proxy: `CONNECT` (RFC 9110, section 9.3.6), spoken by hyper's own client.

use std::pin::pin;

use futures_util::future::{Either, select};
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, StatusCode};
use hyper::client::conn::http1::Builder;
use lakebase_core::effect::ByteStream;
use lakebase_core::{Error, ErrorKind};

use super::exchange::Whole;
use super::hyper_io::HyperIo;
use crate::proxies::{Proxy, ProxyError};

/// The most that the head of a proxy's answer may be long; its body is not read.
const MAX_HEAD: usize = 16 * 1024;

/// Asks `proxy`, at the other end of `stream`, for a connection to `target`, a host with its port.
///
/// The stream that comes back leads to the target. Errors name `place`, which says where the request was going.
pub(super) async fn open(
    stream: Box<dyn ByteStream>,
    proxy: &Proxy,
    target: &str,
    place: &str,
) -> Result<Box<dyn ByteStream>, Error> {
    let garbled = |error: hyper::Error| {
        let problem = ProxyError::unreachable("the proxy does not answer as an HTTP proxy does");
        problem.with_source(error).into_error(place)
    };
    let unfit = || Error::new(ErrorKind::Config, format!("{target:?} is not a host and a port"));
    let mut request = Request::new(Whole(None));
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = target.parse().map_err(|_| unfit())?;
    request.headers_mut().insert(HOST, HeaderValue::from_str(target).map_err(|_| unfit())?);
    if let Some(value) = proxy.authorization() {
        request.headers_mut().insert(PROXY_AUTHORIZATION, value);
    }
    let mut builder = Builder::new();
    let handshake = builder.max_buf_size(MAX_HEAD).handshake(HyperIo(stream));
    let (mut sender, connection) = handshake.await.map_err(garbled)?;
    let answer = pin!(sender.send_request(request));
    let driver = pin!(connection.without_shutdown());
    // The driver ends with the answer that opens the way, or with the connection.
    let (status, driven) = match select(driver, answer).await {
        Either::Left((parts, answer)) => (answer.await.map_err(garbled)?.status(), parts),
        Either::Right((answer, driver)) => match answer.map_err(garbled)?.status() {
            status if status.is_success() => (status, driver.await),
            status => return Err(refused(status, proxy, target, place)),
        },
    };
    if !status.is_success() {
        return Err(refused(status, proxy, target, place));
    }
    let parts = driven.map_err(garbled)?;
    if !parts.read_buf.is_empty() {
        let message = "the proxy says more than that the way is open";
        return Err(ProxyError::unreachable(message).into_error(place));
    }
    Ok(parts.io.0)
}

/// The error that any answer but success is.
///
/// Its kind is a transient one only where the same request may succeed later without a change of settings.
fn refused(status: StatusCode, proxy: &Proxy, target: &str, place: &str) -> Error {
    let (kind, meaning) = match status.as_u16() {
        // Some proxies say 401 (tinyproxy 1.11).
        401 | 407 => {
            return ProxyError::authentication_required(status, proxy).into_error(place);
        }
        403 => (ErrorKind::PermissionDenied, "does not allow connections to"),
        429 => (ErrorKind::Throttled, "got too many requests for"),
        408 | 500 | 502 | 503 | 504 => (ErrorKind::Unavailable, "cannot reach"),
        _ => (ErrorKind::Config, "may not be an HTTP proxy; it was asked for"),
    };
    let message = format!("the proxy answered {status}: it {meaning} {target}");
    ProxyError::refused(kind, message).into_error(place)
}
