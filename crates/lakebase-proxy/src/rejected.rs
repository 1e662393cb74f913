//! Clients that the proxy rejects, and the errors that they get.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::BoxFuture;
use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lakebase_session::ServerError;
use lakebase_session::startup::StartupError;
use tokio::time::timeout;

use crate::observe;
use crate::stream::Stream;

/// Time limit for a rejected client to read the reason and to close.
const REJECT_LIMIT: Duration = Duration::from_secs(2);

/// Why a client does not get in.
pub(crate) enum NotAccepted {
    /// It is gone, or broke off what it had begun.
    Gone,
    /// The proxy rejects it.
    Rejected(Rejected),
}

/// A client that the proxy rejects, with an answer or, where PostgreSQL gives none, without.
pub(crate) struct Rejected {
    stream: Stream,
    why: ServerError,
    /// The bytes that it gets; empty for none.
    answer: BytesMut,
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

    /// Sends the answer, then waits until the client has read it and closes. A close with unread bytes of the client would
    /// reset the connection and lose the answer.
    pub(crate) async fn reject(mut self) {
        observe::rejected(&self.why, !self.answer.is_empty());
        let answering = async {
            send_last(&mut self.stream, &self.answer).await?;
            let mut ignored = [0; 1024];
            for _ in 0..64 {
                if self.stream.read(&mut ignored).await? == 0 {
                    break;
                }
            }
            Ok::<_, io::Error>(())
        };
        let _ = timeout(REJECT_LIMIT, answering).await;
    }
}

impl From<io::Error> for NotAccepted {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<Rejected> for NotAccepted {
    fn from(client: Rejected) -> Self {
        Self::Rejected(client)
    }
}

/// Rejects a client and tells it why.
pub(crate) fn reject(stream: Stream, why: ServerError) -> BoxFuture<'static, ()> {
    Box::pin(Rejected::answered(stream, why).reject())
}

/// An error that ends a session.
pub(crate) fn fatal(sqlstate: &str, message: impl Into<String>) -> ServerError {
    ServerError { sqlstate: sqlstate.to_owned(), message: message.into(), ..ServerError::default() }
}

/// The error for clients when the proxy shuts down.
pub(crate) fn closing() -> ServerError {
    fatal("57P01", "terminating connection due to administrator command")
}

/// Sends a client the error that the proxy shuts down.
pub(crate) async fn send_closing(stream: &mut Stream) {
    let _ = timeout(REJECT_LIMIT, send_last(stream, &closing().encode())).await;
}

async fn send_last(stream: &mut Stream, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.flush().await?;
    stream.close().await
}

/// Does what PostgreSQL does with such a packet.
pub(crate) fn malformed(stream: Stream, error: StartupError) -> NotAccepted {
    let why = ServerError {
        detail: error.detail().map(str::to_owned),
        ..fatal(error.sqlstate(), error.to_string())
    };
    let rejected = match error {
        // A client of protocol 1 or 2 could not read the new form.
        StartupError::Version(1..0x3_0000) => {
            let answer = why.encode_old();
            Rejected { stream, why, answer }
        }
        error if error.is_answered() => Rejected::answered(stream, why),
        _ => Rejected::unanswered(stream, why),
    };
    rejected.into()
}
