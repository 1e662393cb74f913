//! Statements of ours: what makes a session as good as new, and whether it is alive.

use std::fmt;
use std::io;

use bytes::BytesMut;

use super::{APPLICATION_NAME, ReusableSession};
use crate::message;

/// Why a session is not as good as new.
#[derive(Debug)]
pub enum ResetError {
    /// The server answered otherwise than a successful reset does.
    Refused,
    /// The connection broke.
    Io(io::Error),
}

impl fmt::Display for ResetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the server did not reset the session",
            Self::Io(_) => "the connection broke while the session was reset",
        })
    }
}

impl std::error::Error for ResetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused => None,
            Self::Io(error) => Some(error),
        }
    }
}

/// Statements that are sent together, and how each is answered.
#[derive(Default)]
struct Batch {
    messages: BytesMut,
    /// Tags of `CommandComplete`, in their order.
    tags: Vec<&'static [u8]>,
}

impl Batch {
    fn add(&mut self, sql: &[u8], tag: &'static [u8]) {
        message::put(&mut self.messages, b'Q', &[sql, &[0]].concat());
        self.tags.push(tag);
    }

    fn rename(&mut self, name: &[u8]) {
        let value = name.iter().flat_map(|byte| match byte {
            b'\'' | b'\\' => vec![*byte; 2],
            byte => vec![*byte],
        });
        let value: Vec<u8> = value.collect();
        // The same whatever `standard_conforming_strings` is.
        self.add(&[b"SET application_name TO E'", &value[..], b"'"].concat(), b"SET\0");
    }
}

impl ReusableSession {
    /// Undoes what the last client did: ends its transaction, `DISCARD ALL`, and gives the next one its `application_name`,
    /// with one write. `name` is made of printable ASCII characters; `None` stands for what the login made it.
    ///
    /// **Cancellation:** the session is not to be used any more.
    ///
    /// # Errors
    ///
    /// [`ResetError`]. The session is not to be used any more.
    pub async fn reset(&mut self, name: Option<&[u8]>) -> Result<(), ResetError> {
        if !self.is_settled() {
            return Err(ResetError::Refused);
        }
        let mut batch = Batch::default();
        if self.conversation.is_in_transaction() {
            batch.add(b"ROLLBACK", b"ROLLBACK\0");
        }
        batch.add(b"DISCARD ALL", b"DISCARD ALL\0");
        if let Some(name) = name.filter(|name| Some(*name) != self.application_name.as_deref()) {
            batch.rename(name);
        }
        self.ask(batch).await
    }

    /// Gives a session that was reset the `application_name` of another client, or that of the login. One round trip, which
    /// also shows that the session is alive.
    ///
    /// **Cancellation:** the session is not to be used any more.
    ///
    /// # Errors
    ///
    /// [`ResetError`]. The session is not to be used any more.
    pub async fn rename(&mut self, name: Option<&[u8]>) -> Result<(), ResetError> {
        let mut batch = Batch::default();
        match name {
            Some(name) => batch.rename(name),
            None => {
                batch.add([b"RESET ", APPLICATION_NAME.as_bytes()].concat().as_slice(), b"RESET\0")
            }
        }
        self.ask(batch).await
    }

    /// Sends all at once, and wants each statement done outside a transaction before the next.
    async fn ask(&mut self, batch: Batch) -> Result<(), ResetError> {
        let Batch { messages, tags } = batch;
        tags.iter().for_each(|_| self.conversation.asked());
        self.send(&messages).await.map_err(ResetError::Io)?;
        let (mut done, mut ready, mut right) = (0, 0, true);
        while right && ready < tags.len() {
            let on_message = |kind: u8, body: &[u8]| match kind {
                b'C' => {
                    right &= done == ready && tags.get(done).is_some_and(|tag| *tag == body);
                    done += 1;
                }
                b'Z' => {
                    ready += 1;
                    right &= done == ready && body == b"I";
                }
                b'S' | b'N' | b'A' => {}
                _ => right = false,
            };
            self.read(on_message).await.map_err(ResetError::Io)?;
        }
        if right && self.is_settled() { Ok(()) } else { Err(ResetError::Refused) }
    }
}
