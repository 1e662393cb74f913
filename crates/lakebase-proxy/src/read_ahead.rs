//! Reads more from a socket than is asked for, while more is there.
//!
//! rustls asks for 4 KiB at a time; a record of 16 KiB would cost four system calls, and a stream of PostgreSQL's
//! records of 8 KiB three each. What was read ahead is kept only until it is asked for.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

thread_local! {
    static CHUNK_OF_THREAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// A socket below TLS.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    socket: TcpStream,
    ahead: Vec<u8>,
    taken: usize,
}

impl ReadAhead {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self { socket, ahead: Vec::new(), taken: 0 }
    }

    /// The socket, without what was read ahead.
    pub(crate) fn into_inner(self) -> TcpStream {
        self.socket
    }
}

impl AsyncRead for ReadAhead {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { socket, ahead, taken } = self.get_mut();
        if ahead.is_empty() {
            return CHUNK_OF_THREAD.with_borrow_mut(|chunk| {
                let mut read = ReadBuf::new(chunk);
                ready!(Pin::new(socket).poll_read(context, &mut read))?;
                let bytes = read.filled();
                let (now, later) = bytes.split_at(bytes.len().min(buffer.remaining()));
                buffer.put_slice(now);
                *ahead = later.to_vec();
                *taken = 0;
                Poll::Ready(Ok(()))
            });
        }
        let rest = &ahead[*taken..];
        let now = &rest[..rest.len().min(buffer.remaining())];
        buffer.put_slice(now);
        *taken += now.len();
        if *taken == ahead.len() {
            *ahead = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReadAhead {
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

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn bytes_come_in_order_whatever_is_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let sent: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            sender.write_all(&sent).await.unwrap();
            sender.shutdown().await.unwrap();
            sender
        });
        let (mut reader, mut read) = (ReadAhead::new(socket), Vec::new());
        for size in [1, 5, 4096, 100_000].into_iter().cycle() {
            let mut part = vec![0; size];
            match reader.read(&mut part).await.unwrap() {
                0 => break,
                count => read.extend_from_slice(&part[..count]),
            }
        }
        assert!(read == expected);
        assert!(reader.ahead.is_empty());
        drop(writing.await.unwrap());
    }
}
