//! Keeps a pool's connect options at the newest token, so that also logins of plain `PgPool` clones work.

use std::sync::{Arc, Weak};

use futures::channel::oneshot;
use futures::future::{self, Either};
use lakebase_core::refresh::CredentialCache;

use crate::pool::Shared;

/// Starts the task; it ends when `stop`'s sender is dropped, which is when the last handle of the pool is.
pub(crate) fn start(shared: &Arc<Shared>, cache: CredentialCache, stop: oneshot::Receiver<()>) {
    let Some(spawn) = shared.connector.runtime().spawn.clone() else { return };
    cache.keep_fresh();
    spawn.spawn(Box::pin(rotate(Arc::downgrade(shared), cache, stop)));
}

async fn rotate(shared: Weak<Shared>, cache: CredentialCache, mut stop: oneshot::Receiver<()>) {
    let mut seen = shared.upgrade().and_then(|shared| shared.generation());
    loop {
        let changed = std::pin::pin!(cache.changed(seen));
        match future::select(changed, &mut stop).await {
            Either::Left((held, _)) => seen = Some(held.generation()),
            Either::Right(_) => return,
        }
        let Some(shared) = shared.upgrade() else { return };
        // It fails only where the next login of the pool itself fails, and says so, too.
        if let Ok(login) = shared.connector.login().await {
            let _ = shared.apply(&login).await;
        }
    }
}
