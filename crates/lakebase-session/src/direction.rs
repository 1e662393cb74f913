//! One direction of a relay: what is read at one side is written at the other.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use lakebase_core::effect::ByteStream;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

thread_local! {
    pub(crate) static CHUNK_OF_THREAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// One direction: what could not be written yet, and how far it is.
pub(crate) struct Direction<'a> {
    waiting: Vec<u8>,
    written: usize,
    ended: bool,
    failed: Option<io::Error>,
    closed: bool,
    unflushed: bool,
    count: &'a AtomicU64,
}

impl<'a> Direction<'a> {
    pub(crate) fn new(waiting: Vec<u8>, count: &'a AtomicU64) -> Self {
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

    /// A direction whose reader has nothing more to say.
    pub(crate) fn ended(self) -> Self {
        Self { ended: true, ..self }
    }

    /// Whether nothing that was read waits to be written.
    pub(crate) fn is_written(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Moves what can be moved; ready once the reader has ended and the writer knows. See [`poll_move`](Self::poll_move).
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut (impl ByteStream + ?Sized),
        writer: &mut (impl ByteStream + ?Sized),
        chunk: &mut [u8],
        passes: impl FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_move(context, reader, writer, chunk, passes))?;
        if !self.closed {
            ready!(Pin::new(&mut *writer).poll_close(context))?;
            self.closed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Moves what can be moved; ready once the reader has ended and all that came of it is written. `passes` sees what was
    /// read and says how much of it is to be written: if not all, the rest is dropped, and the reader has ended.
    pub(crate) fn poll_move(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut (impl ByteStream + ?Sized),
        writer: &mut (impl ByteStream + ?Sized),
        chunk: &mut [u8],
        mut passes: impl FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.waiting.is_empty() {
                ready!(self.poll_waiting(context, writer))?;
            }
            if self.ended {
                ready!(self.poll_flush(context, writer))?;
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Err(error));
            }
            let filled = self.read(context, reader, chunk);
            match chunk.get(..filled).unwrap_or_default() {
                [] if self.ended || self.failed.is_some() => {}
                [] => {
                    ready!(self.poll_flush(context, writer))?;
                    return Poll::Pending;
                }
                bytes => {
                    let passed = passes(bytes).min(bytes.len());
                    self.ended |= passed < bytes.len();
                    self.write_or_keep(context, writer, &bytes[..passed])?;
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

    fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        writer: &mut (impl ByteStream + ?Sized),
    ) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(&mut *writer).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn count(&self, bytes: usize) {
        self.count.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
