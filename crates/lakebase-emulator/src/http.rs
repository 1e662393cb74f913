//! The thin HTTP server around the function `api::handle`.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::api::{self, Ending, Taken};
use crate::data_api;
use crate::request::Request;
use crate::shared::Shared;

/// Paths of the emulator's own interface.
const CONTROL: &str = "/_emulator/";

/// Serves until dropped.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    let app = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(1 << 20))
        .with_state(shared)
        .into_make_service_with_connect_info::<Peer>();
    // Ends only with the task.
    let _ = axum::serve(Accepting::new(listener, tls), app).await;
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    };
    if request.path.starts_with(CONTROL) {
        shared.note_traffic();
    }
    let answer = match shared.with(|state, real| api::handle(state, real, &request)) {
        Taken::Answered(answer) => answer,
        Taken::DataApi(delivery) => {
            let answer = data_api::answer(&shared, &request).await;
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
    // The socket refuses the first byte written from now on: the client sees no answer.
    if answer.ending == Ending::Drop {
        peer.0.store(true, Ordering::Relaxed);
    }
    let length = answer.body.len();
    let body = if answer.ending == Ending::Cut {
        let half = Bytes::from(answer.body).slice(..length / 2);
        Body::from_stream(stream::iter([
            Ok(half),
            Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        ]))
    } else {
        answer.body.into()
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
    response
}

/// Tells the socket of a connection to refuse what is written to it.
#[derive(Clone)]
struct Peer(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, Accepting>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Accepting>) -> Self {
        Self(Arc::clone(&stream.io().dropped))
    }
}

/// Accepts TCP, and TLS where configured; handshakes do not hold each other up.
struct Accepting {
    address: SocketAddr,
    accepted: mpsc::Receiver<(Socket, SocketAddr)>,
    _task: tokio::task::JoinSet<()>,
}

impl Accepting {
    fn new(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        let address =
            listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
        let (sender, accepted) = mpsc::channel(16);
        let mut task = tokio::task::JoinSet::new();
        task.spawn(accept(listener, tls, sender));
        Self { address, accepted, _task: task }
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    sender: mpsc::Sender<(Socket, SocketAddr)>,
) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (tls, sender) = (tls.clone(), sender.clone());
        tokio::spawn(async move {
            let stream: Box<dyn Stream> = match tls {
                None => Box::new(stream),
                // A failed handshake is the client's to report.
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => Box::new(stream),
                    Err(_) => return,
                },
            };
            let dropped = Arc::new(AtomicBool::new(false));
            let _ = sender.send((Socket { stream, dropped }, peer)).await;
        });
    }
}

impl Listener for Accepting {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl Stream for TcpStream {}
impl Stream for tokio_rustls::server::TlsStream<TcpStream> {}

struct Socket {
    stream: Box<dyn Stream>,
    dropped: Arc<AtomicBool>,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.dropped.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
