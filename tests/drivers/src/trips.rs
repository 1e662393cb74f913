//! Counts round trips to the server: each time that something comes after something was sent.

use std::io::Result as IoResult;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use futures_io::{AsyncRead, AsyncWrite};
use lakebase::Result;
use lakebase::core::effect::{ByteStream, Dial, DialTarget, Dialed};

/// Dials as another one does, and counts the round trips of what leads to one port.
#[derive(Debug)]
pub(crate) struct Counting {
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) port: u16,
    pub(crate) trips: Arc<AtomicUsize>,
}

#[async_trait]
impl Dial for Counting {
    async fn dial(&self, target: DialTarget<'_>) -> Result<Dialed> {
        let Dialed { stream, peer } = self.dial.dial(target).await?;
        if target.port != self.port {
            return Ok(Dialed { stream, peer });
        }
        let trips = Arc::clone(&self.trips);
        Ok(Dialed { stream: Box::new(Counted { stream, trips, asked: false }), peer })
    }

    async fn dial_unix(&self, path: &Path) -> Result<Box<dyn ByteStream>> {
        self.dial.dial_unix(path).await
    }
}

struct Counted {
    stream: Box<dyn ByteStream>,
    trips: Arc<AtomicUsize>,
    /// Whether something was sent since something came.
    asked: bool,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<IoResult<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if count > 0 && std::mem::take(&mut self.asked) {
            self.trips.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<IoResult<usize>> {
        self.asked = true;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
