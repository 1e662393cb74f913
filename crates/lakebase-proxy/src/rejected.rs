//! Clients that the proxy rejects, and the errors that they get.

use std::io;

use bytes::BytesMut;
use lakebase_session::ServerError;
use lakebase_session::startup::StartupError;

use crate::stream::Stream;

/// Why a client does not get in.
pub(crate) enum Refused {
    /// It is gone, or broke off what it had begun.
    Gone,
    /// It is turned away.
    Away(Rejected),
}

/// A client that is turned away, with an answer or, where PostgreSQL gives none, without.
pub(crate) struct Rejected {
    pub(crate) stream: Stream,
    pub(crate) why: ServerError,
    /// The bytes that it gets; empty for none.
    pub(crate) answer: BytesMut,
}

impl Rejected {
    /// Tells it why.
    pub(crate) fn answered(stream: Stream, why: ServerError) -> Self {
        let answer = why.encode();
        Self { stream, why, answer }
    }

    /// Closes without an answer.
    pub(crate) fn unanswered(stream: Stream, why: ServerError) -> Self {
        Self { stream, why, answer: BytesMut::new() }
    }
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

pub(crate) fn refusal(sqlstate: &str, message: impl Into<String>) -> ServerError {
    ServerError { sqlstate: sqlstate.to_owned(), message: message.into(), ..ServerError::default() }
}

/// Turns away with `sqlstate` and `message`.
pub(crate) fn refuse(stream: Stream, sqlstate: &str, message: &str) -> Refused {
    Refused::Away(Rejected::answered(stream, refusal(sqlstate, message)))
}

/// Does what PostgreSQL does with such a packet.
pub(crate) fn malformed(stream: Stream, error: StartupError) -> Refused {
    let why = ServerError {
        detail: error.detail().map(str::to_owned),
        ..refusal(error.sqlstate(), error.to_string())
    };
    Refused::Away(match error {
        // A client of protocol 1 or 2 could not read the new form.
        StartupError::Version(1..0x3_0000) => {
            let answer = why.encode_old();
            Rejected { stream, why, answer }
        }
        error if error.is_answered() => Rejected::answered(stream, why),
        _ => Rejected::unanswered(stream, why),
    })
}
