//! Events of sessions, through the `tracing` facade with the feature of that name. No statement, no secret, no key.
#![cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "nothing is logged"))]

use std::time::Duration;

use lakebase_session::{ResetError, ServerError};

/// A session is open.
pub(crate) fn opened(took: Duration) {
    #[cfg(feature = "tracing")]
    tracing::info!(login_ms = millis(took), "session opened");
}

/// A client has a session of the pool: one that another client had before, or a new one.
pub(crate) fn checked_out(took: Duration, reused: bool) {
    #[cfg(feature = "tracing")]
    tracing::info!(login_ms = millis(took), reused, "session opened");
}

/// An idle session of a pool had ended, or was found dead.
pub(crate) fn pooled_ended() {
    #[cfg(feature = "tracing")]
    tracing::info!("idle session ended by the server");
}

/// A session is not used again; without an error if the reset took too long.
pub(crate) fn reset_failed(error: Option<&ResetError>) {
    #[cfg(feature = "tracing")]
    {
        let reason = error.map_or_else(|| "it took too long".to_owned(), ToString::to_string);
        tracing::warn!(reason, "session not reset");
    }
}

/// A session ended: by itself, or cut at the end of a drain.
pub(crate) fn ended(took: Duration, cut: bool) {
    #[cfg(feature = "tracing")]
    tracing::info!(took_ms = millis(took), cut, "session ended");
}

/// A client was rejected, before or after an attempt to log in, with an answer or without one.
pub(crate) fn rejected(why: &ServerError, answered: bool) {
    #[cfg(feature = "tracing")]
    tracing::warn!(sqlstate = %why.sqlstate, reason = ?why.message, answered, "client rejected");
}

/// A client did not finish its start in time, and was rejected without an answer. `received` counts what came before TLS.
pub(crate) fn took_too_long(limit: Duration, received: usize) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        // query_canceled, as PostgreSQL says it of authentication
        sqlstate = "57014",
        reason = ?format!("the start took longer than {limit:?}"),
        received,
        answered = false,
        "client rejected"
    );
}

#[cfg(feature = "tracing")]
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
