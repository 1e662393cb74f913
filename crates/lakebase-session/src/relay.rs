//! Carries bytes between a client and its server once the session stands.
//!
//! One task carries both directions. It reads into a buffer that the thread lends and writes at once, so a
//! connection on which nothing moves holds no buffer; only what a slow reader does not take is kept.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use lakebase_core::effect::ByteStream;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

thread_local! {
    static CHUNK_OF_THREAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// What `ReadyForQuery` looks like, apart from the state of the transaction.
const READY_FOR_QUERY: [u8; 5] = [b'Z', 0, 0, 0, 5];

/// Both directions of one session, carried by one task. An idle one holds no buffer.
pub struct Relay<'a> {
    to_server: Direction<'a>,
    to_client: Direction<'a>,
    /// The last bytes that came from the server.
    tail: Tail,
}

/// One direction: what could not be written yet, and how far it is.
struct Direction<'a> {
    waiting: Vec<u8>,
    written: usize,
    ended: bool,
    failed: Option<io::Error>,
    closed: bool,
    unflushed: bool,
    count: &'a AtomicU64,
}

impl<'a> Relay<'a> {
    /// A session in which the server is first told `to_server` and the client `to_client`. Bytes are counted.
    #[must_use]
    pub fn new(
        to_server: Vec<u8>,
        to_client: Vec<u8>,
        [server_count, client_count]: [&'a AtomicU64; 2],
    ) -> Self {
        let mut tail = Tail::default();
        tail.push(&to_client);
        Self {
            to_server: Direction::new(to_server, server_count),
            to_client: Direction::new(to_client, client_count),
            tail,
        }
    }

    /// Carries until the server has ended the session, or either side is gone. The end of what a client says is
    /// passed on, and the server's last words still reach it.
    ///
    /// **Cancellation:** loses nothing that was read; carrying can go on.
    ///
    /// # Errors
    ///
    /// That of the side whose connection broke.
    pub async fn carry(
        &mut self,
        client: &mut (impl ByteStream + ?Sized),
        server: &mut (impl ByteStream + ?Sized),
    ) -> io::Result<()> {
        let Self { to_server, to_client, tail } = self;
        poll_fn(|context| {
            CHUNK_OF_THREAD.with_borrow_mut(|chunk| {
                // What a client has ended may still be answered; a server that has ended hears nobody.
                let _ = to_server.poll(context, client, server, chunk, |_| {})?;
                to_client.poll(context, server, client, chunk, |bytes| tail.push(bytes))
            })
        })
        .await
    }

    /// Whether the last thing that the client got is `ReadyForQuery`, so that a message of ours would be read as
    /// one. Bytes of a row that look like it are taken for it; then the client sees a broken message instead of
    /// a broken connection.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.to_client.waiting.is_empty() && self.tail.is_ready_for_query()
    }
}

impl fmt::Debug for Relay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl<'a> Direction<'a> {
    fn new(waiting: Vec<u8>, count: &'a AtomicU64) -> Self {
        Self {
            waiting,
            written: 0,
            ended: false,
            failed: None,
            closed: false,
            unflushed: false,
            count,
        }
    }

    /// Moves what can be moved; ready once the reader has ended and the writer knows.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut (impl ByteStream + ?Sized),
        writer: &mut (impl ByteStream + ?Sized),
        chunk: &mut [u8],
        mut seen: impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.waiting.is_empty() {
                ready!(self.poll_waiting(context, writer))?;
            }
            if self.closed {
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                ready!(Pin::new(&mut *writer).poll_close(context))?;
                self.closed = true;
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Err(error));
            }
            let filled = self.read(context, reader, chunk);
            match chunk.get(..filled).unwrap_or_default() {
                [] if self.ended || self.failed.is_some() => {}
                [] => {
                    if self.unflushed {
                        ready!(Pin::new(&mut *writer).poll_flush(context))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
                bytes => {
                    seen(bytes);
                    self.write_or_keep(context, writer, bytes)?;
                }
            }
        }
    }

    /// Reads all that is there and fits. What ended the reading counts after what was read.
    fn read(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut (impl ByteStream + ?Sized),
        chunk: &mut [u8],
    ) -> usize {
        let mut filled = 0;
        while let Some(rest) = chunk.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *reader).poll_read(context, rest) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => {
                    self.ended = true;
                    break;
                }
                Poll::Ready(Ok(count)) => filled += count,
                Poll::Ready(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        filled
    }

    /// Writes `bytes` as far as they are taken and keeps the rest.
    fn write_or_keep(
        &mut self,
        context: &mut Context<'_>,
        writer: &mut (impl ByteStream + ?Sized),
        mut bytes: &[u8],
    ) -> io::Result<()> {
        self.unflushed = true;
        while !bytes.is_empty() {
            match Pin::new(&mut *writer).poll_write(context, bytes)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(taken) => {
                    self.count(taken);
                    bytes = &bytes[taken..];
                }
                Poll::Pending => {
                    self.waiting = bytes.to_vec();
                    self.written = 0;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn poll_waiting(
        &mut self,
        context: &mut Context<'_>,
        writer: &mut (impl ByteStream + ?Sized),
    ) -> Poll<io::Result<()>> {
        self.unflushed = true;
        while self.written < self.waiting.len() {
            let rest = &self.waiting[self.written..];
            match ready!(Pin::new(&mut *writer).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => {
                    self.count(taken);
                    self.written += taken;
                }
            }
        }
        self.waiting = Vec::new();
        Poll::Ready(Ok(()))
    }

    fn count(&self, bytes: usize) {
        self.count.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The last six bytes of a stream.
#[derive(Default)]
struct Tail([u8; 6]);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        match bytes.last_chunk() {
            Some(last) => self.0 = *last,
            None => {
                self.0.rotate_left(bytes.len());
                self.0[6 - bytes.len()..].copy_from_slice(bytes);
            }
        }
    }

    fn is_ready_for_query(&self) -> bool {
        self.0.starts_with(&READY_FOR_QUERY) && matches!(self.0[5], b'I' | b'T' | b'E')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_the_stream_however_it_is_cut() {
        let stream = b"C\0\0\0\rSELECT 1\0Z\0\0\0\x05I";
        for size in 1..stream.len() {
            let mut tail = Tail::default();
            stream.chunks(size).for_each(|chunk| tail.push(chunk));
            assert!(tail.is_ready_for_query(), "chunks of {size}");
            tail.push(b"D");
            assert!(!tail.is_ready_for_query());
        }
    }
}
