//! Sessions that one client after another uses.
//!
//! While a client has such a session, its messages are followed, so that it is known whether the session can go to somebody
//! else: a type and a length are looked at, and nothing of what a message says but values of parameters and the state of the
//! transaction. A session goes on only if both sides are between messages, all is answered, and
//! [`reset`](ReusableSession::reset) succeeds.
//!
//! What the reset does not undo, because PostgreSQL has no way to: a parameter of a client's own name (`my.value`) stays known, with an
//! empty value; `setseed` goes on counting; libraries stay loaded, and with them what procedural languages and extensions keep
//! for themselves.

mod ask;
mod conversation;
mod frames;
mod parameters;
mod relay;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_util::io::{AsyncRead as _, AsyncWriteExt as _};

use self::conversation::Conversation;
use crate::factory::Session;
use crate::login::AUTHENTICATION_OK;
use crate::message;
use crate::startup::CancelKey;
use crate::stream::ServerStream;
use crate::upstream::Peer;

pub use self::ask::ResetError;
pub use self::relay::{Left, ReusableRelay};

/// A parameter that clients set at their start, and whose value goes to the next one if it is not set again.
const APPLICATION_NAME: &str = "application_name";
/// How much is read at once while no client listens.
const CHUNK: usize = 1024;
/// A whole `Terminate`.
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// A session that can be handed from client to client.
pub struct ReusableSession {
    stream: ServerStream,
    conversation: Conversation,
    /// The server's `NegotiateProtocolVersion`, if it sent one.
    version: BytesMut,
    notices: BytesMut,
    cancel: CancelKey,
    peer: Peer,
    application_name: Option<Vec<u8>>,
}

impl ReusableSession {
    /// Makes one out of a session that no client has used.
    ///
    /// # Errors
    ///
    /// The session itself, if the server has said anything that has no place before a client's first message, or offers no way
    /// to cancel.
    pub fn new(session: Session) -> Result<Self, Box<Session>> {
        let (mut version, mut notices) = (BytesMut::new(), BytesMut::new());
        let mut conversation = Conversation::new();
        let mut rest = BytesMut::from(&session.greeting[..]);
        let mut ready = false;
        while let Ok(Some(message)) = message::take(&mut rest) {
            match message.kind {
                b'v' => message::put(&mut version, b'v', &message.body),
                b'N' => message::put(&mut notices, b'N', &message.body),
                b'S' => conversation.parameters.take(&message.body),
                b'Z' => ready = message.body[..] == *b"I" && rest.is_empty(),
                _ => {}
            }
        }
        match session {
            Session { stream, cancel: Some(cancel), peer, .. } if ready && rest.is_empty() => {
                let application_name = conversation.parameters.get(APPLICATION_NAME);
                let application_name = application_name.map(<[u8]>::to_vec);
                Ok(Self { stream, conversation, version, notices, cancel, peer, application_name })
            }
            session => Err(Box::new(session)),
        }
    }

    /// The greeting of the next client, from `AuthenticationOk` to `ReadyForQuery`, and the key of its own in it: the
    /// server's process id, which clients show, with another secret of the same length. `None` if the system has no random
    /// numbers.
    #[must_use]
    pub fn greet(&self) -> Option<(Vec<u8>, CancelKey)> {
        let key = self.cancel.with_other_secret()?;
        let mut greeting = BytesMut::with_capacity(512);
        greeting.extend_from_slice(&self.version);
        greeting.extend_from_slice(&AUTHENTICATION_OK);
        greeting.extend_from_slice(&self.notices);
        self.conversation.parameters.put(&mut greeting);
        message::put(&mut greeting, b'K', key.as_bytes());
        message::put(&mut greeting, b'Z', b"I");
        Some((greeting.into(), key))
    }

    /// The key that cancels statements of the session at the server. Clients never see it.
    #[must_use]
    pub fn cancel_key(&self) -> &CancelKey {
        &self.cancel
    }

    /// Where a cancel request has to go.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether `application_name` is `name` now, or what the login made it, if a client names none.
    #[must_use]
    pub fn is_named(&self, name: Option<&[u8]>) -> bool {
        let wanted = name.or(self.application_name.as_deref());
        self.conversation.parameters.get(APPLICATION_NAME) == wanted
    }

    /// Whether nothing is open between the last client and the server, so that a [`reset`](Self::reset) may be tried.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.conversation.is_settled()
    }

    /// Reads what the server still has to answer, and drops it, until nothing is open any more.
    ///
    /// # Errors
    ///
    /// Those of the stream; `Other` if the session can never be settled, or after more than `limit` bytes.
    pub async fn settle(&mut self, limit: usize) -> io::Result<()> {
        let mut read = 0;
        while !self.is_settled() {
            if !self.conversation.may_settle() || read > limit {
                return Err(io::Error::other("the session cannot be settled"));
            }
            read += self.read(|_, _| {}).await?;
        }
        Ok(())
    }

    /// Looks whether the server has ended the session while it was idle: ready if so. Values of parameters
    /// that it reports meanwhile are kept. Needs no answer and asks for none.
    pub fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut chunk = [0; CHUNK];
        let Self { stream, conversation, .. } = self;
        loop {
            match Pin::new(&mut *stream).poll_read(context, &mut chunk) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(count)) => {
                    let mut failed = false;
                    conversation.server_answers(&chunk[..count], |kind, _| failed |= kind == b'E');
                    if failed {
                        return Poll::Ready(());
                    }
                }
            }
        }
    }

    /// Sends `Terminate`, so that the server does not take the end for a broken connection.
    pub async fn close(mut self) {
        // It is over either way.
        let _ = self.send(&TERMINATE).await;
        let _ = self.stream.close().await;
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Reads once; how much. `on_message` as in [`Conversation::server_answers`].
    async fn read(&mut self, mut on_message: impl FnMut(u8, &[u8])) -> io::Result<usize> {
        let Self { stream, conversation, .. } = self;
        // Without a buffer that outlives a poll.
        poll_fn(|context| {
            let mut chunk = [0; CHUNK];
            let count = ready!(Pin::new(&mut *stream).poll_read(context, &mut chunk))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            conversation.server_answers(&chunk[..count], &mut on_message);
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl fmt::Debug for ReusableSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReusableSession").field("peer", &self.peer).finish_non_exhaustive()
    }
}
