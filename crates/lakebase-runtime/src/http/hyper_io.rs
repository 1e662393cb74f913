//! Connections as hyper takes them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use hyper::rt::ReadBufCursor;
use lakebase_core::effect::ByteStream;

/// The most that one read moves; it is copied once more, because hyper's own buffer cannot be lent
/// without unsafe code. Replies here are a few kilobytes.
const CHUNK: usize = 4096;

/// A connection, encrypted or not, with hyper's traits.
pub(super) struct HyperIo(pub(super) Box<dyn ByteStream>);

impl hyper::rt::Read for HyperIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut target: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut chunk = [0; CHUNK];
        let wanted = target.remaining().min(CHUNK);
        let chunk = chunk.get_mut(..wanted).unwrap_or_default();
        let count = ready!(Pin::new(&mut self.0).poll_read(context, chunk))?;
        target.put_slice(chunk.get(..count).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for HyperIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}
