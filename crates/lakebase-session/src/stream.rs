//! A connection to a server, with or without TLS.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::io::{AsyncRead, AsyncWrite};
use lakebase_core::effect::ByteStream;

use crate::TlsStream;

/// A connection to a server.
pub struct ServerStream {
    stream: Box<dyn ByteStream>,
    is_tls: bool,
}

impl ServerStream {
    pub(crate) fn plain(stream: Box<dyn ByteStream>) -> Self {
        Self { stream, is_tls: false }
    }

    pub(crate) fn tls(stream: TlsStream<Box<dyn ByteStream>>) -> Self {
        Self { stream: Box::new(stream), is_tls: true }
    }

    /// Whether what is sent is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }
}

impl fmt::Debug for ServerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerStream").field("is_tls", &self.is_tls).finish_non_exhaustive()
    }
}

impl AsyncRead for ServerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}
