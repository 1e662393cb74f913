//! Keeps a pool's connect options at the newest token, so that also logins of plain `PgPool` clones work.

use std::sync::{Arc, Weak};

use futures_channel::oneshot;
use futures_util::future;
use lakebase_core::DatabaseCredential;
use lakebase_core::refresh::{CredentialCache, Generation, Watch};

use crate::pool::Shared;

/// Starts the task. It ends when the pool is closed, or when the sender of `stop` is dropped, which is
/// when the last handle of the pool is.
pub(crate) fn start(shared: &Arc<Shared>, cache: &CredentialCache, stop: oneshot::Receiver<()>) {
    let Some(spawn) = shared.connector.runtime().spawn.clone() else { return };
    let keep_fresh = cache.keep_fresh();
    let end = future::select(stop, shared.pool.close_event());
    let rotation = rotate(Arc::downgrade(shared), cache.watch(), shared.generation());
    spawn.spawn(Box::pin(async move {
        future::select(std::pin::pin!(rotation), end).await;
        drop(keep_fresh);
    }));
}

async fn rotate(
    shared: Weak<Shared>,
    credentials: Watch<DatabaseCredential>,
    mut seen: Option<Generation>,
) {
    while let Some(held) = credentials.changed(seen).await {
        seen = Some(held.generation());
        let Some(shared) = shared.upgrade() else { return };
        // It fails only where the next login of the pool itself fails, and says so, too.
        if let Ok(login) = shared.connector.login().await {
            let _ = shared.apply(&login).await;
        }
    }
}
