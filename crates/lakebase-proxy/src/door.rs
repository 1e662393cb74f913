//! From a client's first byte to its `StartupMessage`: encryption, cancel requests, who may enter.

use std::io;
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_util::io::AsyncWriteExt as _;
use lakebase_session::startup::{CancelKey, FirstPacket, Startup, StartupError, TLS_HANDSHAKE};
use lakebase_session::{ReadAhead, ServerError, first_packet, scram};
use rustls::ServerConfig;
use tokio::net::TcpStream;

use crate::stream::Stream;

/// The protocol that clients name when they begin with TLS at once.
pub(crate) const ALPN: &[u8] = b"postgresql";

/// Who may enter, and how.
#[derive(Clone, Default)]
pub(crate) struct Door {
    /// TLS for those who want it; `None` offers none.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Refuses whoever does not use TLS: certificates of clients are checked there.
    pub(crate) tls_only: bool,
    /// What clients must prove to know.
    pub(crate) password: Option<Arc<scram::Verifier>>,
}

/// What a client wants.
pub(crate) enum Opened {
    Session(Stream, Startup),
    Cancel(Stream, CancelKey),
}

/// Why a client does not get in.
pub(crate) enum Refused {
    /// It is gone, or not worth an answer.
    Silently,
    /// It is told.
    With(Stream, ServerError),
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::Silently
    }
}

fn refusal(sqlstate: &str, message: impl Into<String>) -> ServerError {
    ServerError { sqlstate: sqlstate.to_owned(), message: message.into(), ..ServerError::default() }
}

fn malformed(stream: Stream, error: StartupError) -> Refused {
    Refused::With(stream, refusal(error.sqlstate(), error.to_string()))
}

impl Door {
    /// Reads what `stream` wants. Nothing is read ahead: what follows a request for encryption in the clear is
    /// never taken for what follows encrypted (CVE-2021-23222).
    pub(crate) async fn open(&self, mut stream: Stream) -> Result<Opened, Refused> {
        if let (Stream::Tcp(tcp), Some(tls)) = (&stream, &self.tls)
            && first_byte(&tcp.0).await? == TLS_HANDSHAKE
        {
            stream = direct_tls(stream, tls).await?;
        }
        let (mut gss, mut tls) = (false, stream.is_tls());
        loop {
            let packet = match first_packet(&mut stream).await? {
                Ok(packet) => packet,
                Err(error) => return Err(malformed(stream, error)),
            };
            match packet {
                FirstPacket::Cancel(key) => return Ok(Opened::Cancel(stream, key)),
                FirstPacket::Startup(startup) => return self.admit(stream, startup).await,
                FirstPacket::Gss if !gss && !stream.is_tls() => {
                    gss = true;
                    stream.write_all(b"N").await?;
                    stream.flush().await?;
                }
                FirstPacket::Tls if !tls => {
                    tls = true;
                    stream = self.answer_tls(stream).await?;
                }
                FirstPacket::Gss | FirstPacket::Tls => {
                    let message = "encryption was asked for twice";
                    return Err(Refused::With(stream, refusal("08P01", message)));
                }
            }
        }
    }

    /// Answers `SSLRequest`; clients that insist on TLS go away by themselves when there is none.
    async fn answer_tls(&self, stream: Stream) -> Result<Stream, Refused> {
        match (stream, &self.tls) {
            (Stream::Tcp(mut tcp), Some(tls)) => {
                tcp.write_all(b"S").await?;
                tcp.flush().await?;
                let accepted =
                    TlsAcceptor::from(Arc::clone(tls)).accept(ReadAhead::new(tcp)).await?;
                Ok(Stream::Tls(Box::new(accepted)))
            }
            (mut plain, _) => {
                plain.write_all(b"N").await?;
                plain.flush().await?;
                Ok(plain)
            }
        }
    }

    async fn admit(&self, mut stream: Stream, startup: Startup) -> Result<Opened, Refused> {
        if self.tls_only && !stream.is_tls() {
            let message = "connection is insecure: this listener wants TLS with a client certificate \
                           (sslmode=require with sslcert and sslkey)";
            return Err(Refused::With(stream, refusal("28000", message)));
        }
        if let Some(verifier) = &self.password {
            match scram::ask(&mut stream, verifier).await? {
                true => {}
                false => {
                    let message = "password authentication failed for this proxy";
                    return Err(Refused::With(stream, refusal("28P01", message)));
                }
            }
        }
        Ok(Opened::Session(stream, startup))
    }
}

/// The first byte, which stays to be read.
async fn first_byte(stream: &TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    match stream.peek(&mut byte).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(byte[0]),
    }
}

/// TLS without asking, as libpq does with `sslnegotiation=direct`. Only with ALPN, so that no other protocol's
/// client can be led here.
async fn direct_tls(stream: Stream, tls: &Arc<ServerConfig>) -> Result<Stream, Refused> {
    let Stream::Tcp(tcp) = stream else { return Ok(stream) };
    let accepted = TlsAcceptor::from(Arc::clone(tls)).accept(ReadAhead::new(tcp)).await?;
    let named = accepted.get_ref().1.alpn_protocol() == Some(ALPN);
    let stream = Stream::Tls(Box::new(accepted));
    if named {
        return Ok(stream);
    }
    let message = "direct TLS connections must name the ALPN protocol postgresql";
    Err(Refused::With(stream, refusal("08P01", message)))
}
