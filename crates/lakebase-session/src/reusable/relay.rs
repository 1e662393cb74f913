//! Carries bytes between a client and the session that it has for a while.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::AtomicU64;
use std::task::{Poll, ready};

use lakebase_core::effect::ByteStream;

use super::ReusableSession;
use crate::direction::{CHUNK_OF_THREAD, Direction};

/// The side that ended a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The client, and all that it said has gone to the server. Ask whether another client may have the session.
    Client,
    /// The client, while something was open between it and the server, which learns of its end. Carrying may go on for a client
    /// that only talks no more.
    Open,
    /// The server; the client has its last words.
    Server,
}

/// Both directions of one client's use of a session. An idle one holds no buffer.
pub struct ReusableRelay<'a> {
    to_server: Direction<'a>,
    to_client: Direction<'a>,
    /// The client has said `Terminate`.
    terminated: bool,
    /// The client has gone without that while something is open, and the server gets the end, too.
    both: bool,
}

impl<'a> ReusableRelay<'a> {
    /// A client that has said `early` already and is first told `greeting`. Bytes are counted.
    #[must_use]
    pub fn new(
        session: &mut ReusableSession,
        mut early: Vec<u8>,
        greeting: Vec<u8>,
        [server_count, client_count]: [&'a AtomicU64; 2],
    ) -> Self {
        let passed = session.conversation.client_says(&early);
        let terminated = passed < early.len();
        early.truncate(passed);
        let to_server = Direction::new(early, server_count);
        Self {
            to_server: if terminated { to_server.ended() } else { to_server },
            to_client: Direction::new(greeting, client_count),
            terminated,
            both: false,
        }
    }

    /// Carries until the client leaves or the server ends the session.
    ///
    /// A client that says `Terminate` has left, and one that ends without.
    ///
    /// **Cancellation:** loses nothing that was read; carrying can go on.
    ///
    /// # Errors
    ///
    /// That of the side whose connection broke. The session is not to be used any more.
    pub async fn carry(
        &mut self,
        client: &mut (impl ByteStream + ?Sized),
        session: &mut ReusableSession,
    ) -> io::Result<Left> {
        let Self { to_server, to_client, terminated, both } = self;
        let ReusableSession { stream, conversation, .. } = session;
        poll_fn(|context| {
            CHUNK_OF_THREAD.with_borrow_mut(|chunk| {
                if !*both {
                    let said = |bytes: &[u8]| {
                        let passed = conversation.client_says(bytes);
                        *terminated |= passed < bytes.len();
                        passed
                    };
                    match to_server.poll_move(context, client, stream, chunk, said)? {
                        Poll::Ready(()) if *terminated || conversation.is_settled() => {
                            return Poll::Ready(Ok(Left::Client));
                        }
                        Poll::Ready(()) => {
                            *both = true;
                            return Poll::Ready(Ok(Left::Open));
                        }
                        Poll::Pending => {}
                    }
                }
                if *both {
                    let _ = to_server.poll(context, client, stream, chunk, <[u8]>::len)?;
                }
                let said = |bytes: &[u8]| {
                    conversation.server_says(bytes);
                    bytes.len()
                };
                ready!(to_client.poll(context, stream, client, chunk, said))?;
                Poll::Ready(Ok(Left::Server))
            })
        })
        .await
    }

    /// Whether the client has all that was said to it, and waits for nothing, so that a message of ours would be read as
    /// one.
    #[must_use]
    pub fn is_between_messages(&self, session: &ReusableSession) -> bool {
        self.to_client.is_written() && session.conversation.is_quiet()
    }
}

impl fmt::Debug for ReusableRelay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReusableRelay").finish_non_exhaustive()
    }
}
