//! How far client and server are with each other, from the messages that pass.
//!
//! Source: PostgreSQL's documentation, "Message Flow"; `PostgresMain` in `src/backend/tcop/postgres.c`, `CopyGetData` in
//! `src/backend/commands/copyfromparse.c`. Two rules matter here beyond those that everybody knows:
//!
//! - While the server takes a COPY it ignores `Sync` (and `Flush`). Of a client that sends `Execute` and `Sync` together, as
//!   libpq does, that `Sync` is never answered, and the one after `CopyDone` is.
//! - After an error in a COPY the client may go on sending `CopyData` and `CopyDone` for a while; the server ignores both.
//!
//! Where it cannot be known which `Sync` the server has ignored, the conversation is in doubt for good, and no other client may
//! have its session.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::frames::Frames;
use super::parameters::Parameters;

/// The request that a `ReadyForQuery` is awaited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// `Query` or `FunctionCall`.
    Query,
    /// `Sync`.
    Sync,
}

/// A COPY from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CopyIn {
    None,
    /// The server takes it. `extended`: a `Sync` has to follow its end.
    Taking {
        extended: bool,
    },
    /// The client has ended it. `ignored`: the server has ignored a `Sync` before that, if all went well.
    Ended {
        ignored: bool,
    },
}

/// The state of the protocol, as far as it decides whether another client may have the session.
#[derive(Debug)]
pub(super) struct Conversation {
    client: Frames,
    server: Frames,
    awaited: VecDeque<Awaited>,
    copy: CopyIn,
    /// Data for a COPY came before the server had asked for it.
    early_data: bool,
    /// Messages of the extended protocol came that no `Sync` has followed.
    unsynced: bool,
    in_doubt: bool,
    /// Of the last `ReadyForQuery`.
    status: u8,
    pub(super) parameters: Parameters,
}

impl Conversation {
    /// The state of a session that no client has used yet.
    pub(super) fn new() -> Self {
        Self {
            client: Frames::default(),
            server: Frames::default(),
            awaited: VecDeque::new(),
            copy: CopyIn::None,
            early_data: false,
            unsynced: false,
            in_doubt: false,
            status: b'I',
            parameters: Parameters::default(),
        }
    }

    /// Whether all that was said is answered and both sides are between messages.
    pub(super) fn is_settled(&self) -> bool {
        self.may_settle() && self.awaited.is_empty() && self.server.is_between()
    }

    /// Whether it would be settled once the server has answered.
    pub(super) fn may_settle(&self) -> bool {
        !self.in_doubt
            && !self.unsynced
            && !self.early_data
            && self.copy == CopyIn::None
            && self.client.is_between()
    }

    /// Whether the client has had all that was said to it and could take a message of ours.
    pub(super) fn is_quiet(&self) -> bool {
        self.awaited.is_empty() && self.server.is_between()
    }

    /// Whether a transaction is open, failed or not.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.status != b'I'
    }

    /// How much of `bytes` from the client is for the server: all up to a `Terminate`.
    pub(super) fn client_says(&mut self, bytes: &[u8]) -> usize {
        if self.in_doubt {
            return bytes.len();
        }
        let Self { client, awaited, copy, early_data, unsynced, in_doubt, .. } = self;
        let passed = client.pass(
            bytes,
            |kind| if kind == b'X' { ControlFlow::Break(()) } else { ControlFlow::Continue(()) },
            |_| false,
            |kind, _| match kind {
                b'Q' | b'F' => {
                    *in_doubt |= *copy != CopyIn::None;
                    awaited.push_back(Awaited::Query);
                }
                b'S' => {
                    *unsynced = false;
                    awaited.push_back(Awaited::Sync);
                }
                b'P' | b'B' | b'D' | b'E' | b'C' => *unsynced = true,
                b'd' => *early_data |= *copy == CopyIn::None && !awaited.is_empty(),
                b'c' | b'f' => match *copy {
                    CopyIn::Taking { extended } => {
                        // All that is awaited was sent after what began the COPY, but for a `Query` that did.
                        let kept = usize::from(!extended);
                        *copy = CopyIn::Ended { ignored: awaited.len() > kept };
                        awaited.truncate(kept);
                        *unsynced |= extended;
                    }
                    _ => *early_data |= !awaited.is_empty(),
                },
                _ => {}
            },
        );
        passed.unwrap_or_else(|_| {
            self.in_doubt = true;
            bytes.len()
        })
    }

    /// Takes note of `bytes` from the server.
    pub(super) fn server_says(&mut self, bytes: &[u8]) {
        self.server_answers(bytes, |_, _| {});
    }

    /// The same; `on_message` gets every message, with its body if it is a `CommandComplete` or `ReadyForQuery`.
    pub(super) fn server_answers(&mut self, bytes: &[u8], mut on_message: impl FnMut(u8, &[u8])) {
        if self.in_doubt {
            return;
        }
        let Self { server, awaited, copy, early_data, in_doubt, status, parameters, .. } = self;
        let passed = server.pass(
            bytes,
            |_| ControlFlow::Continue(()),
            |kind| matches!(kind, b'S' | b'Z' | b'C'),
            |kind, body| {
                match kind {
                    b'S' => parameters.take(body),
                    b'Z' => {
                        *in_doubt |= awaited.pop_front().is_none();
                        *status = body.first().copied().unwrap_or_default();
                        *copy = CopyIn::None;
                        *early_data &= !awaited.is_empty();
                    }
                    b'G' => {
                        let extended = awaited.front() != Some(&Awaited::Query);
                        *in_doubt |=
                            *early_data || awaited.iter().skip(1).any(|one| *one == Awaited::Query);
                        *copy = CopyIn::Taking { extended };
                    }
                    b'C' => *copy = CopyIn::None,
                    b'E' => {
                        // The server does not tell whether it ignored a `Sync` that came before this error.
                        *in_doubt |= match *copy {
                            CopyIn::None => false,
                            CopyIn::Taking { .. } => awaited.contains(&Awaited::Sync),
                            CopyIn::Ended { ignored } => ignored,
                        };
                        *copy = CopyIn::None;
                    }
                    // CopyBothResponse: replication.
                    b'W' => *in_doubt = true,
                    _ => {}
                }
                on_message(kind, body);
            },
        );
        self.in_doubt |= passed.is_err();
    }

    /// A message of ours that a `ReadyForQuery` will answer.
    pub(super) fn asked(&mut self) {
        self.awaited.push_back(Awaited::Query);
    }
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
