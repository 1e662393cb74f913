//! Carries bytes between a client and its server once the session stands.
//!
//! One task carries both directions. It reads into a buffer that the thread lends and writes at once, so a
//! connection on which nothing moves holds no buffer; only what a slow reader does not take is kept.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::AtomicU64;

use lakebase_core::effect::ByteStream;

use crate::direction::{CHUNK_OF_THREAD, Direction};

/// What `ReadyForQuery` looks like, apart from the state of the transaction.
const READY_FOR_QUERY: [u8; 5] = [b'Z', 0, 0, 0, 5];

/// Both directions of one session, carried by one task. An idle one holds no buffer.
pub struct Relay<'a> {
    to_server: Direction<'a>,
    to_client: Direction<'a>,
    /// The last bytes that came from the server.
    tail: Tail,
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
                let _ = to_server.poll(context, client, server, chunk, <[u8]>::len)?;
                to_client.poll(context, server, client, chunk, |bytes| {
                    tail.push(bytes);
                    bytes.len()
                })
            })
        })
        .await
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
