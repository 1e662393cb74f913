//! One request and its reply over one connection, which the caller that waits for the reply drives.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest};
use lakebase_core::{Error, ErrorKind, Result};

use super::hyper_io::HyperIo;
use crate::failure::MAX_REPLY;

/// A request's body: all of it at once.
pub(super) struct Whole(pub(super) Option<Bytes>);

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
pub(super) struct Link {
    pub(super) sender: SendRequest<Whole>,
    pub(super) driver: Connection<HyperIo, Whole>,
    pub(super) idle_since: Duration,
}

/// How an exchange failed.
pub(super) enum Failure {
    /// The connection was closed before the request was taken from us.
    NotSent(Box<Request<Whole>>),
    /// The server may have seen the request.
    Broken(hyper::Error),
    /// The reply is beyond the limit.
    TooLarge,
}

/// The request as it goes to an origin server: path only, the host as a header.
pub(super) fn origin_form(request: Request<Bytes>, host: &str) -> Result<Request<Whole>> {
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
pub(super) async fn exchange(
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
