//! One connection at the gateway, from the first byte to the last.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, copy_bidirectional,
};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::login::{self, Decision, Refusal, Route};
use super::wire::{self, First, MAX_STARTUP, Startup};
use crate::accept::accept;
use crate::fault::Effect;
use crate::postgres::read_message;
use crate::shared::{Open, Shared};

/// Time a client has from the first byte to the password.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest slice a held login sleeps, so that a clock moved by hand is noticed.
const WAIT_SLICE: Duration = Duration::from_millis(10);

/// Serves until dropped; dropping ends all connections.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, tls: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    accept(listener, |stream| {
        let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
        // How a connection ends concerns its client, who sees it.
        async move { drop(connection(stream, &shared, &acceptor).await) }
    })
    .await;
}

async fn connection(stream: TcpStream, shared: &Shared, acceptor: &TlsAcceptor) -> io::Result<()> {
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let opened = tokio::time::timeout(STARTUP_TIMEOUT, open(stream, shared, acceptor));
    let Some((mut stream, startup)) = opened.await.map_err(|_| late())?? else { return Ok(()) };
    let sni = stream.get_ref().1.server_name().map(str::to_owned);
    let refused = match log_in(&mut stream, shared, sni.as_deref(), startup).await? {
        LoginOutcome::Refused(refusal) => refusal,
        LoginOutcome::Done => return stream.shutdown().await,
        LoginOutcome::Closed => return Ok(()),
    };
    let packet = wire::error(&refused.sqlstate, &refused.message, refused.detail);
    stream.write_all(&packet).await?;
    stream.shutdown().await
}

/// TLS and the start-up packet; `None` when the connection has been dealt with.
async fn open(
    mut stream: TcpStream,
    shared: &Shared,
    acceptor: &TlsAcceptor,
) -> io::Result<Option<(TlsStream<TcpStream>, Startup)>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    let direct = first == [0x16];
    let mut encrypted = direct;
    while !encrypted {
        let packet = read_first(&mut stream).await?;
        match wire::parse_first(&packet) {
            Ok(First::Gss) => stream.write_all(b"N").await?,
            Ok(First::Ssl) => {
                stream.write_all(b"S").await?;
                encrypted = true;
            }
            Ok(First::Cancel) => return cancel(shared, &packet).await,
            Ok(First::Startup(startup)) => {
                let text = format!("Invalid protocol version: {}", startup.version);
                return refuse(stream, &text).await;
            }
            Err(text) => return refuse(stream, &text).await,
        }
    }
    let mut stream = acceptor.accept(stream).await?;
    if direct && stream.get_ref().1.alpn_protocol() != Some(b"postgresql") {
        return refuse(stream, "direct TLS connections must use the ALPN protocol postgresql")
            .await;
    }
    let packet = read_first(&mut stream).await?;
    match wire::parse_first(&packet) {
        Ok(First::Startup(startup)) => Ok(Some((stream, startup))),
        Ok(First::Cancel) => cancel(shared, &packet).await,
        Ok(First::Ssl | First::Gss) => refuse(stream, "the connection is encrypted already").await,
        Err(text) => refuse(stream, &text).await,
    }
}

async fn refuse<T>(mut stream: impl AsyncWrite + Unpin, text: &str) -> io::Result<Option<T>> {
    stream.write_all(&wire::error("08P01", text, None)).await?;
    stream.shutdown().await?;
    Ok(None)
}

async fn cancel<T>(shared: &Shared, packet: &[u8]) -> io::Result<Option<T>> {
    let mut backend = UnixStream::connect(&shared.socket).await?;
    let length = u32::try_from(packet.len() + 4).map_err(io::Error::other)?;
    backend.write_all(&length.to_be_bytes()).await?;
    backend.write_all(packet).await?;
    // Postgres closes when the request has been dealt with, and so do we.
    let _ = backend.read(&mut [0]).await?;
    Ok(None)
}

/// A first packet without its length.
async fn read_first(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).map_err(io::Error::other)?;
    if !(8..=MAX_STARTUP).contains(&length) {
        return Err(io::Error::other("invalid length of startup packet"));
    }
    let mut packet = vec![0; length - 4];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

enum LoginOutcome {
    Refused(Refusal),
    /// The session took place, or the real Postgres refused in its own words.
    Done,
    /// To be closed without an answer.
    Closed,
}

async fn log_in(
    stream: &mut TlsStream<TcpStream>,
    shared: &Shared,
    sni: Option<&str>,
    mut startup: Startup,
) -> io::Result<LoginOutcome> {
    let option = startup.take_endpoint_option();
    let effects = shared.with(|state, _| login::faults(state, sni.unwrap_or_default()));
    let routed = shared.with(|state, _| login::route(state, sni, option.as_deref()));
    let route = match routed {
        Ok(route) => route,
        Err(refusal) => return Ok(LoginOutcome::Refused(refusal)),
    };
    let outcome = admit(stream, shared, &route, startup, &effects).await;
    if !matches!(outcome, Ok(LoginOutcome::Done)) {
        shared.with(|state, _| login::count_refused(state, &route.endpoint));
    }
    outcome
}

async fn admit(
    stream: &mut TlsStream<TcpStream>,
    shared: &Shared,
    route: &Route,
    mut startup: Startup,
    effects: &[Effect],
) -> io::Result<LoginOutcome> {
    for effect in effects {
        match effect {
            Effect::Latency { duration } => tokio::time::sleep(*duration).await,
            Effect::Drop => return Ok(LoginOutcome::Closed),
            _ => {}
        }
    }
    if let Some(refusal) = effects.iter().find_map(login::refusal) {
        return Ok(LoginOutcome::Refused(refusal));
    }
    stream.write_all(&wire::ASK_PASSWORD).await?;
    let answer = tokio::time::timeout(STARTUP_TIMEOUT, read_message(stream));
    let (kind, message) = answer.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let Some(password) = wire::parse_password(&message).filter(|_| kind == b'p') else {
        return Ok(LoginOutcome::Closed);
    };
    let checked =
        shared.with(|state, real| login::authenticate(state, real, route, &startup, password));
    if let Err(refusal) = checked {
        return Ok(LoginOutcome::Refused(refusal));
    }
    let mut byte = [0];
    let session = loop {
        // Opened under the same lock that looked at the limit.
        let decision = shared.with(|state, real| match login::decide(state, real, route) {
            Decision::Accept => Ok(state.open_session(&route.endpoint, real)),
            other => Err(other),
        });
        match decision {
            Ok(session) => break session,
            Err(Decision::Wait(time)) => tokio::select! {
                () = tokio::time::sleep(time.min(WAIT_SLICE)) => {}
                // A client has nothing to say now: it went away.
                _ = stream.read(&mut byte) => return Ok(LoginOutcome::Closed),
            },
            Err(Decision::Refuse(refusal)) => return Ok(LoginOutcome::Refused(refusal)),
            Err(Decision::Close | Decision::Accept) => return Ok(LoginOutcome::Closed),
        }
    };
    if route.read_only {
        startup.add_option("-c default_transaction_read_only=on");
    }
    run(stream, &startup, shared.register(session)).await
}

/// The session itself: start-up at the real Postgres, then bytes both ways.
async fn run(
    stream: &mut TlsStream<TcpStream>,
    startup: &Startup,
    open: Open<'_>,
) -> io::Result<LoginOutcome> {
    let Open { shared, session, .. } = open;
    let mut backend = UnixStream::connect(&shared.socket).await?;
    backend.write_all(&startup.encode()).await?;
    let mut pid = None;
    loop {
        let (kind, message) = read_message(&mut backend).await?;
        match kind {
            // Counted before the client can know.
            b'E' => shared.with(|state, _| state.session_refused(session)),
            b'K' => pid = message.get(5..9).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes),
            b'Z' if !shared.with(|state, _| state.session_ready(session, pid)) => {
                return Ok(LoginOutcome::Closed);
            }
            _ => {}
        }
        stream.write_all(&message).await?;
        match kind {
            b'Z' => break,
            b'E' => return Ok(LoginOutcome::Done),
            _ => {}
        }
    }
    stream.flush().await?;
    let mut backend = Watched { inner: backend, traffic: Arc::clone(&open.traffic) };
    let mut open = open;
    tokio::select! {
        copied = copy_bidirectional(stream, &mut backend) => drop(copied),
        _ = &mut open.signal => {}
    }
    Ok(LoginOutcome::Done)
}

/// Notes that bytes passed.
struct Watched {
    inner: UnixStream,
    traffic: Arc<AtomicBool>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if polled.is_ready() {
            self.traffic.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.traffic.store(true, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
