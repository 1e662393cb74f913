//! Reads more from a socket than is asked for, while more is there.
//!
//! rustls asks for 4 KiB at a time; a record of 16 KiB would cost four system calls, and a stream of PostgreSQL's
//! records of 8 KiB three each. What was read ahead is kept only until it is asked for.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::io::{AsyncRead, AsyncWrite};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

thread_local! {
    static CHUNK_OF_THREAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// A socket below TLS that reads up to 64 KiB at once.
#[derive(Debug)]
pub struct ReadAhead<S> {
    socket: S,
    ahead: Vec<u8>,
    taken: usize,
}

impl<S> ReadAhead<S> {
    /// Reads `socket`, of which nothing may have been read that belongs to TLS.
    pub fn new(socket: S) -> Self {
        Self { socket, ahead: Vec::new(), taken: 0 }
    }

    /// The socket, without what was read ahead.
    pub fn into_inner(self) -> S {
        self.socket
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { socket, ahead, taken } = self.get_mut();
        if ahead.is_empty() {
            return CHUNK_OF_THREAD.with_borrow_mut(|chunk| {
                let count = ready!(Pin::new(socket).poll_read(context, chunk))?;
                let bytes = chunk.get(..count).unwrap_or_default();
                let (now, later) = bytes.split_at(count.min(buffer.len()));
                buffer[..now.len()].copy_from_slice(now);
                *ahead = later.to_vec();
                *taken = 0;
                Poll::Ready(Ok(now.len()))
            });
        }
        let rest = &ahead[*taken..];
        let now = rest.len().min(buffer.len());
        buffer[..now].copy_from_slice(&rest[..now]);
        *taken += now;
        if *taken == ahead.len() {
            *ahead = Vec::new();
        }
        Poll::Ready(Ok(now))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures_util::io::{AsyncReadExt as _, Cursor};

    use super::*;

    #[test]
    fn bytes_come_in_order_whatever_is_asked_for() {
        let sent: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let (mut reader, mut read) = (ReadAhead::new(Cursor::new(&sent)), Vec::new());
        for size in [1, 5, 4096, 100_000].into_iter().cycle() {
            let mut part = vec![0; size];
            match block_on(reader.read(&mut part)).unwrap() {
                0 => break,
                count => read.extend_from_slice(&part[..count]),
            }
        }
        assert!(read == sent);
        assert!(reader.ahead.is_empty());
    }
}
