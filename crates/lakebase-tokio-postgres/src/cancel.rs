//! Cancel requests: they go to the server and address of their session, which tokio-postgres does not know.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use lakebase_core::connect::Connector;
use lakebase_core::{ConnectFailure, Error, ErrorKind, Result};
use lakebase_session::startup::CancelKey;
use lakebase_session::{LoginError, Peer, Upstream};
use tokio_postgres::{CancelToken, NoTls};

/// Length and code of a `CancelRequest`, before the key.
const HEADER: usize = 8;

/// Where the sessions are that have not ended, by their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenSessions(Arc<Mutex<HashMap<CancelKey, Peer>>>);

/// Forgets its session when it is dropped.
#[derive(Debug)]
pub(crate) struct OpenSession {
    key: CancelKey,
    sessions: Weak<Mutex<HashMap<CancelKey, Peer>>>,
}

impl OpenSessions {
    pub(crate) fn add(&self, key: CancelKey, peer: Peer) -> OpenSession {
        lock(&self.0).insert(key.clone(), peer);
        OpenSession { key, sessions: Arc::downgrade(&self.0) }
    }

    fn get(&self, key: &CancelKey) -> Option<Peer> {
        lock(&self.0).get(key).cloned()
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        if let Some(sessions) = self.sessions.upgrade() {
            lock(&sessions).remove(&self.key);
        }
    }
}

fn lock<T>(sessions: &Mutex<T>) -> MutexGuard<'_, T> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) async fn cancel_query(
    upstream: &Upstream,
    open: &OpenSessions,
    connector: &Connector,
    token: &CancelToken,
) -> Result<()> {
    let found = key(token).await.and_then(|key| open.get(&key).map(|peer| (key, peer)));
    let Some((key, peer)) = found else {
        let problem = "the session to cancel has ended, or was not opened by this handle";
        return Err(Error::new(ErrorKind::NotFound, problem));
    };
    let limit = connector.config().policy.attempt_timeout;
    match connector.within(limit, upstream.cancel(&peer, &key)).await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(failed(error)),
        None => {
            let problem = format!("the server did not take a cancel request within {limit:?}");
            Err(Error::new(ErrorKind::TimedOut, problem))
        }
    }
}

/// The key that a token would send. Only a server gets to see it.
async fn key(token: &CancelToken) -> Option<CancelKey> {
    let mut sent = Cursor::new(Vec::new());
    token.cancel_query_raw(&mut sent, NoTls).await.ok()?;
    CancelKey::new(sent.get_ref().get(HEADER..)?).ok()
}

fn failed(error: LoginError) -> Error {
    let kind = match error.class() {
        ConnectFailure::Permanent(kind) => kind,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "sending a cancel request").with_source(error)
}
