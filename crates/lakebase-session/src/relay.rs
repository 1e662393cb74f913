//! Carries bytes between a client and its server once the session is open.
//!
//! One task carries both directions. It reads into a buffer that the thread lends and writes at once, so a
//! connection on which nothing moves holds no buffer; only what a slow reader does not take is kept.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::AtomicU64;

use lakebase_core::effect::ByteStream;

use crate::direction::{CHUNK_OF_THREAD, Direction};

/// How a client takes its leave.
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];
/// The bytes of `ReadyForQuery` before the state of the transaction.
const READY_FOR_QUERY: [u8; 5] = [b'Z', 0, 0, 0, 5];

/// Both directions of one session, carried by one task. An idle one holds no buffer.
pub struct Relay<'a> {
    to_server: Direction<'a>,
    to_client: Direction<'a>,
    /// The last bytes that came from the server.
    tail: Tail,
    /// Whether the client has said that it leaves, or is gone.
    client_left: bool,
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
            client_left: false,
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
        let Self { to_server, to_client, tail, client_left } = self;
        poll_fn(|context| {
            CHUNK_OF_THREAD.with_borrow_mut(|chunk| {
                let to_server = to_server.poll(context, client, server, chunk, |bytes| {
                    *client_left = bytes.ends_with(&TERMINATE);
                    bytes.len()
                })?;
                // A client that has closed its side may still get answers; a server that has closed reads no more.
                *client_left |= to_server.is_ready();
                to_client.poll(context, server, client, chunk, |bytes| {
                    tail.push(bytes);
                    bytes.len()
                })
            })
        })
        .await
    }

    /// Whether the client has said that it leaves, or is gone. If carrying ended otherwise, it was the server that ended the session.
    #[must_use]
    pub fn client_has_left(&self) -> bool {
        self.client_left
    }

    /// Whether the last thing that the client got is `ReadyForQuery`, so that a message of ours would be read as
    /// one. Bytes of a row that look like it are taken for it; then the client sees a broken message instead of
    /// a broken connection.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.to_client.is_written() && self.tail.is_ready_for_query()
    }
}

impl fmt::Debug for Relay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
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
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_util::FutureExt as _;
    use futures_util::io::{AsyncRead, AsyncWrite};

    use super::*;

    /// A side that says something, and then ends or is silent.
    struct Side {
        says: &'static [u8],
        ends: bool,
    }

    impl AsyncRead for Side {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            match (self.says, self.ends) {
                ([], false) => Poll::Pending,
                _ => Pin::new(&mut self.says).poll_read(context, buffer),
            }
        }
    }

    impl AsyncWrite for Side {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn it_knows_who_ended_the_session() {
        for (says, ends, left) in [
            (&b""[..], false, false),
            (b"Q\0\0\0\x05\0", false, false),
            (b"Q\0\0\0\x05\0X\0\0\0\x04", false, true),
            (b"Q\0\0\0\x05\0", true, true),
        ] {
            let counts = [AtomicU64::new(0), AtomicU64::new(0)];
            let mut relay = Relay::new(Vec::new(), Vec::new(), [&counts[0], &counts[1]]);
            let (mut client, mut server) = (Side { says, ends }, Side { says: b"E", ends: true });
            let carried = relay.carry(&mut client, &mut server).now_or_never();
            assert!(carried.unwrap().is_ok());
            assert_eq!(relay.client_has_left(), left, "{says:?}");
        }
    }

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
