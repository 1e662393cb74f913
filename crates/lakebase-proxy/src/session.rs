//! One client, from its first byte to its last.

use std::sync::Arc;

use lakebase_session::startup::{CancelKey, Startup};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::access::{Access, Requested};
use crate::pool::Wanted;
use crate::rejected::{NotAccepted, fatal, reject};
use crate::routes::Routes;
use crate::shared::{Phase, Shared, until};
use crate::stats::one_more;
use crate::stream::Stream;
use crate::{observe, own, pooled};

/// Settings that the sessions of a listener share.
pub(crate) struct Acceptor {
    pub(crate) access: Access,
    pub(crate) routes: Routes,
}

/// Serves one client.
pub(crate) async fn serve(
    stream: Stream,
    acceptor: Arc<Acceptor>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    one_more(&shared.counters.accepted);
    // In a box of its own, which is given back before the long part begins.
    let opened = Box::pin(open(stream, &acceptor, &shared, &mut phase)).await;
    match opened {
        Some(Ok(Requested::Session(stream, startup))) => {
            session(stream, startup, &acceptor, &shared, &mut phase).await;
        }
        Some(Ok(Requested::Cancel(stream, key))) => Box::pin(cancel(stream, &key, &shared)).await,
        Some(Err(NotAccepted::Rejected(client))) => {
            one_more(&shared.counters.rejected);
            Box::pin(client.reject()).await;
        }
        Some(Err(NotAccepted::Gone)) | None => one_more(&shared.counters.rejected),
    }
}

/// `None` if the client took too long, had to make room, or came too late.
async fn open(
    stream: Stream,
    acceptor: &Acceptor,
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) -> Option<Result<Requested, NotAccepted>> {
    let mut place = shared.pending.enter();
    let (limit, mut received) = (shared.startup_timeout, 0);
    let opened = tokio::select! {
        opened = timeout(limit, acceptor.access.accept(stream, &mut received)) => opened,
        () = place.evicted() => return None,
        () = until(phase, Phase::Draining) => return None,
    };
    // A client that never sends anything is often a probe of the port.
    if opened.is_err() && received > 0 {
        observe::took_too_long(limit, received);
    }
    opened.ok()
}

async fn session(
    client: Stream,
    startup: Startup,
    acceptor: &Acceptor,
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) {
    let Ok(_place) = shared.places.try_acquire() else {
        one_more(&shared.counters.rejected);
        let why = fatal("53300", "sorry, too many clients already");
        return reject(client, why).await;
    };
    let server = acceptor.routes.choose(&startup);
    if let Some(pool) = &server.pool
        && let Some(wanted) = Wanted::new(&startup)
    {
        return pooled::session(client, wanted, pool, shared, phase).await;
    }
    own::session(client, startup, server, shared, phase).await;
}

/// Passes a cancel request on to where its session is, and closes when the server has dealt with it. There is no
/// answer, also not about a session that is not known.
async fn cancel(stream: Stream, key: &CancelKey, shared: &Shared) {
    if shared.cancels.request(key).await {
        one_more(&shared.counters.cancel_requests);
    }
    drop(stream);
}
