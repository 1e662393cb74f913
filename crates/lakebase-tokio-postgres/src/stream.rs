//! A stream on which a session is open, for a driver that begins with a login.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use lakebase_session::{ServerStream, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::cancel::{OpenSession, OpenSessions};

/// How much is read at once: a record of TLS.
const CHUNK: usize = 16 * 1024;

thread_local! {
    /// Reads go through this buffer. The buffer of tokio's trait would have to be cleared before every read, all of it, also where
    /// nothing has come: that costs more than to copy the few bytes of most answers.
    static CHUNK_OF_THREAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// A connection to a server with a session on it. What the driver says first, its `StartupMessage`, is answered with what the server
/// said to the login; from then on all bytes pass as they are.
pub struct SessionStream {
    stream: ServerStream,
    /// The rest of the answer to the `StartupMessage`.
    greeting: Bytes,
    /// Whether the driver has read, which it does when it has said all of its `StartupMessage`.
    answered: bool,
    /// The data of cancel requests, for as long as the session lives.
    _open: Option<OpenSession>,
}

impl SessionStream {
    pub(crate) fn new(session: Session, open: &OpenSessions) -> Self {
        let Session { stream, greeting, cancel, peer } = session;
        let open = cancel.map(|key| open.add(key, peer));
        Self { stream, greeting, answered: false, _open: open }
    }
}

impl fmt::Debug for SessionStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStream").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl AsyncRead for SessionStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.greeting.has_remaining() {
            this.answered = true;
            let count = this.greeting.len().min(buffer.remaining());
            buffer.put_slice(&this.greeting.split_to(count));
            return Poll::Ready(Ok(()));
        }
        CHUNK_OF_THREAD.with_borrow_mut(|chunk| {
            let room = buffer.remaining().min(CHUNK);
            let room = chunk.get_mut(..room).unwrap_or_default();
            let count = ready!(Pin::new(&mut this.stream).poll_read(context, room))?;
            buffer.put_slice(room.get(..count).unwrap_or_default());
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for SessionStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.answered {
            true => Pin::new(&mut this.stream).poll_write(context, bytes),
            false => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_close(context)
    }
}
