//! TLS over any stream of bytes, by rustls.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read as _, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::io::{AsyncRead, AsyncWrite};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

/// How much is read from the socket at once. rustls asks for 4 KiB, so that a record of 16 KiB would cost four system calls.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// Empty while a stream reads into it: that one may itself lie over another `TlsStream`.
    static CHUNK_OF_THREAD: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A stream whose bytes are encrypted on their way through a socket.
///
/// A small write is one write of the socket, and all that a read of the socket returned is decrypted before the socket is asked
/// again. What was written may be kept until the next write, flush or close. A read returns 0 after the other side's `close_notify`, and
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the socket ended without one (RFC 8446, section 6.1).
///
/// It does not renegotiate, and takes no early data. A future that is dropped in the middle of a handshake loses the socket.
pub struct TlsStream<S> {
    socket: S,
    tls: Connection,
    /// Bytes that were read from the socket and not decrypted yet, because the caller was given those before them.
    ahead: Vec<u8>,
    taken: usize,
    closing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Makes the client's side of a handshake with the server `name`.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) with the [`rustls::Error`] if TLS does not come about, for example because of a
    /// certificate; the server gets an alert. Else those of the socket.
    pub async fn connect(
        socket: S,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let tls = ClientConnection::new(config, name).map_err(invalid)?;
        Self::handshake(socket, tls.into()).await.map_err(|(error, _)| error)
    }

    /// Makes the server's side of a handshake.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and the socket.
    pub async fn accept(socket: S, config: Arc<ServerConfig>) -> Result<Self, (io::Error, S)> {
        match ServerConnection::new(config) {
            Ok(tls) => Self::handshake(socket, tls.into()).await,
            Err(error) => Err((invalid(error), socket)),
        }
    }

    /// The result of the handshake: version, certificates, protocol.
    pub fn connection(&self) -> &Connection {
        &self.tls
    }

    async fn handshake(socket: S, tls: Connection) -> Result<Self, (io::Error, S)> {
        let mut stream = Self { socket, tls, ahead: Vec::new(), taken: 0, closing: false };
        match poll_fn(|context| stream.poll_handshake(context)).await {
            Ok(()) => Ok(stream),
            Err(error) => Err((error, stream.socket)),
        }
    }

    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(context))?;
            ready!(Pin::new(&mut self.socket).poll_flush(context))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_receive(context))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Decrypts what was read ahead, or what the socket has, as far as the caller has to be asked. Ready with 0 if the socket ended.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.ahead.is_empty() {
            let mut ahead = std::mem::take(&mut self.ahead);
            let taken = self.decrypt(context, &ahead[self.taken..])?;
            self.taken += taken;
            if self.taken < ahead.len() {
                std::mem::swap(&mut self.ahead, &mut ahead);
            }
            return Poll::Ready(Ok(taken));
        }
        let mut chunk = CHUNK_OF_THREAD.take();
        chunk.resize(CHUNK, 0);
        let read = Pin::new(&mut self.socket).poll_read(context, &mut chunk);
        let received = read.map(|read| {
            let read = chunk.get(..read?).unwrap_or_default();
            let taken = self.decrypt(context, read)?;
            self.ahead = read.get(taken..).unwrap_or_default().to_vec();
            self.taken = 0;
            Ok(read.len())
        });
        CHUNK_OF_THREAD.set(chunk);
        received
    }

    /// Hands `bytes` to rustls until there is something for the caller, or no more; how many were taken. None are the end.
    fn decrypt(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        loop {
            let taken = self.tls.read_tls(&mut rest)?;
            let state = match self.tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // rustls has an alert to send, which says why to the other side if it still listens.
                    let _ = self.poll_send(context);
                    let _ = Pin::new(&mut self.socket).poll_flush(context);
                    return Err(invalid(error));
                }
            };
            if state.peer_has_closed() && self.tls.is_handshaking() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let is_readable = state.plaintext_bytes_to_read() > 0 || state.peer_has_closed();
            if taken == 0 || rest.is_empty() || is_readable {
                break;
            }
        }
        // An answer to an update of keys, if any. It need not arrive now.
        if self.tls.wants_write() {
            let _ = self.poll_send(context)?;
        }
        Ok(bytes.len() - rest.len())
    }

    /// Writes what is encrypted to the socket.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut out = Out { socket: &mut self.socket, context, is_pending: false };
            match self.tls.write_tls(&mut out) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(_) if out.is_pending => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            match this.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            ready!(this.poll_receive(context))?;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // No more than one write is kept.
        ready!(this.poll_send(context))?;
        let count = this.tls.writer().write(bytes)?;
        let _ = this.poll_send(context)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(context))?;
        Pin::new(&mut this.socket).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.closing {
            this.tls.send_close_notify();
            this.closing = true;
        }
        ready!(this.poll_send(context))?;
        match ready!(Pin::new(&mut this.socket).poll_close(context)) {
            // The other side was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            closed => Poll::Ready(closed),
        }
    }
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// The socket as rustls writes to it.
struct Out<'a, 'b, S> {
    socket: &'a mut S,
    context: &'a mut Context<'b>,
    is_pending: bool,
}

impl<S: AsyncWrite + Unpin> Write for Out<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = Pin::new(&mut *self.socket);
        let written = match bytes {
            // `send` costs the kernel less than `writev`.
            [bytes] => socket.poll_write(self.context, bytes),
            bytes => socket.poll_write_vectored(self.context, bytes),
        };
        match written {
            Poll::Ready(written) => written,
            Poll::Pending => {
                self.is_pending = true;
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
