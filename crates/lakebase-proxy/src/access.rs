//! From a client's first byte to its `StartupMessage`: encryption, cancel requests, who may enter.

use std::io;
use std::sync::Arc;

use futures_util::io::AsyncWriteExt as _;
use lakebase_runtime::TokioIo;
use lakebase_session::startup::{
    CancelKey, FirstPacket, GSS, Startup, StartupError, TLS, TLS_HANDSHAKE,
};
use lakebase_session::{TlsStream, first_packet, scram};
use rustls::ServerConfig;
use tokio::net::TcpStream;

use crate::rejected::{NotAccepted, Rejected, fatal, malformed};
use crate::stream::Stream;

/// The protocol that clients name when they begin with TLS at once.
pub(crate) const ALPN: &[u8] = b"postgresql";

/// How a listener accepts and authenticates clients.
#[derive(Clone, Default)]
pub(crate) struct Access {
    /// TLS for those who want it; `None` offers none.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Refuses clients without TLS: their certificates are checked there.
    pub(crate) tls_only: bool,
    /// The password that clients must prove to know.
    pub(crate) password: Option<Arc<scram::Verifier>>,
}

/// The request of an accepted client.
pub(crate) enum Requested {
    Session(Stream, Startup),
    Cancel(Stream, CancelKey),
}

impl Access {
    /// Reads and answers until it is clear what the client wants. `received` grows with what comes.
    ///
    /// Steps that only some clients need are boxed, so that those who wait here take little memory.
    ///
    /// Exactly one packet is read at a time, so that what follows a request for encryption in the clear is
    /// never taken for what follows encrypted (CVE-2021-23222).
    pub(crate) async fn accept(
        &self,
        mut stream: Stream,
        received: &mut usize,
    ) -> Result<Requested, NotAccepted> {
        if let (Stream::Tcp(tcp), Some(tls)) = (&stream, &self.tls)
            && first_byte(&tcp.0).await? == TLS_HANDSHAKE
        {
            *received += 1;
            stream = Box::pin(direct_tls(stream, tls)).await?;
        }
        let (mut gss, mut tls) = (false, false);
        loop {
            let packet = match first_packet(&mut stream, received).await? {
                Ok(packet) => packet,
                // A client that does not accept the answer to its request leaves.
                Err(StartupError::Incomplete(0..4)) if gss || tls => return Err(NotAccepted::Gone),
                Err(StartupError::Incomplete(0)) => return Err(NotAccepted::Gone),
                Err(error) => return Err(malformed(stream, error)),
            };
            match packet {
                FirstPacket::Cancel(key) => return Ok(Requested::Cancel(stream, key)),
                FirstPacket::Startup(startup) => return self.admit(stream, startup).await,
                FirstPacket::Gss if !gss => {
                    gss = true;
                    stream = answer_no(stream, "GSSAPI encryption").await?;
                }
                FirstPacket::Tls if !tls => {
                    tls = true;
                    stream = match (stream, &self.tls) {
                        (Stream::Tcp(mut tcp), Some(config)) => {
                            gss = true;
                            tcp.write_all(b"S").await?;
                            tcp.flush().await?;
                            Box::pin(accept_tls(tcp, config)).await?
                        }
                        (stream, _) => answer_no(stream, "SSL").await?,
                    };
                }
                // Asked for twice: not known as a version either.
                FirstPacket::Gss => return Err(malformed(stream, StartupError::Version(GSS))),
                FirstPacket::Tls => return Err(malformed(stream, StartupError::Version(TLS))),
            }
        }
    }

    async fn admit(&self, mut stream: Stream, startup: Startup) -> Result<Requested, NotAccepted> {
        if startup.get("user").is_none_or(<[u8]>::is_empty) {
            return Err(malformed(stream, StartupError::User));
        }
        if self.tls_only && !stream.is_tls() {
            let message = "connection is insecure: this listener wants TLS with a client certificate \
                           (sslmode=require with sslcert and sslkey)";
            return Err(Rejected::answered(stream, fatal("28000", message)).into());
        }
        if let Some(verifier) = &self.password {
            match Box::pin(scram::ask(&mut stream, verifier)).await? {
                true => {}
                false => {
                    let message = "password authentication failed for this proxy";
                    return Err(Rejected::answered(stream, fatal("28P01", message)).into());
                }
            }
        }
        Ok(Requested::Session(stream, startup))
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
async fn direct_tls(stream: Stream, tls: &Arc<ServerConfig>) -> Result<Stream, NotAccepted> {
    let Stream::Tcp(tcp) = stream else { return Ok(stream) };
    let stream = accept_tls(tcp, tls).await?;
    match &stream {
        Stream::Tls(tls) if tls.connection().alpn_protocol() == Some(ALPN) => Ok(stream),
        _ => Err(malformed(stream, StartupError::Alpn)),
    }
}

/// If the handshake fails, the client gets an alert.
async fn accept_tls(
    tcp: TokioIo<TcpStream>,
    tls: &Arc<ServerConfig>,
) -> Result<Stream, NotAccepted> {
    match TlsStream::accept(tcp, Arc::clone(tls)).await {
        Ok(accepted) => Ok(Stream::Tls(Box::new(accepted))),
        // rustls reports what is wrong with the handshake as invalid data; all else is the network.
        Err((error, socket)) if error.kind() == io::ErrorKind::InvalidData => {
            let why = fatal("08P01", format!("could not accept SSL connection: {error}"));
            let stream = Stream::Tcp(socket);
            Err(Rejected::unanswered(stream, why).into())
        }
        Err(_) => Err(NotAccepted::Gone),
    }
}

/// Refuses a request for encryption; clients that insist on it go away by themselves.
///
/// A client that has sent more did not wait for the answer: those bytes may be an attacker's.
async fn answer_no(mut stream: Stream, what: &'static str) -> Result<Stream, NotAccepted> {
    let early = stream.has_more();
    stream.write_all(b"N").await?;
    stream.flush().await?;
    if early { Err(malformed(stream, StartupError::Early(what))) } else { Ok(stream) }
}
