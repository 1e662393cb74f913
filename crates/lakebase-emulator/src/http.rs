//! The thin HTTP server around the function `api::handle`.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::accept::accept;
use crate::api::{self, Ending, Taken};
use crate::data_api;
use crate::request::Request;
use crate::shared::Shared;

/// Paths of the emulator's own interface.
const CONTROL: &str = "/_emulator/";
/// Longest body of a request.
const MAX_BODY: usize = 1 << 20;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Serves until dropped, by HTTPS where `tls` is configured.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    accept(listener, |stream| connection(stream, Arc::clone(&shared), tls.clone())).await;
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    match tls {
        None => requests(stream, &shared).await,
        Some(tls) => {
            // A failed handshake is the client's to report.
            if let Ok(stream) = tls.accept(stream).await {
                requests(stream, &shared).await;
            }
        }
    }
}

async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) {
    let service = service_fn(|request| answer(shared, request));
    // How a connection ends concerns its client, who sees it.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The response; an error ends the connection without one.
async fn answer(shared: &Shared, request: hyper::Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let text = "Failed to buffer the request body: length limit exceeded";
            let mut response = Response::new(whole(text));
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            let kind = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            return Ok(response);
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    if request.path.starts_with(CONTROL) {
        shared.note_traffic();
    }
    let answer = match shared.with(|state, real| api::handle(state, real, &request)) {
        Taken::Answered(answer) => answer,
        Taken::DataApi(delivery) => {
            let answer = data_api::answer(shared, &request).await;
            shared.with(|state, _| delivery.of(state, answer))
        }
    };
    if request.path.starts_with(CONTROL) {
        shared.settled().await;
    }
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    if let Some(sequence) = answer.sequence {
        shared.with(|state, real| state.log.end(sequence, real));
    }
    let length = answer.body.len();
    let body = match answer.ending {
        Ending::Complete => whole(answer.body),
        Ending::Cut => {
            let half = Bytes::from(answer.body).slice(..length / 2);
            let end = Err(io::ErrorKind::ConnectionAborted.into());
            StreamBody::new(stream::iter([Ok(Frame::data(half)), end])).boxed_unsync()
        }
        Ending::Drop => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = response.headers_mut();
    // RFC 9110, section 8.6: not where there can be no body.
    if answer.status != 204 {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}
