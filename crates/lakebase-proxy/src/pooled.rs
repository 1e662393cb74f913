//! A client that has a session of the pool for a while.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::{Error, ErrorKind};
use lakebase_session::{Left, ReusableRelay, ServerError, log_in_for, to_client};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::cancels::{Cancellable, vanished};
use crate::pool::{CheckedOut, Checkout, Denied, Pool, Wanted};
use crate::rejected::{closing, fatal, reject, send_closing};
use crate::shared::{Phase, Shared, until};
use crate::stats::one_more;
use crate::stream::Stream;
use crate::{observe, own};

/// How long the server may go on answering a client that ended while something was open. Its permit of the pool is free then.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Gets a session for a client, serves it until it leaves, and gives the session back.
pub(crate) async fn session(
    mut client: Stream,
    wanted: Wanted,
    pool: &Arc<Pool>,
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) {
    let session = shared.counters.session();
    let clock = Arc::clone(&pool.connector().runtime().clock);
    let begun = clock.monotonic();
    let checkout = {
        let checkout = pin!(pool.check_out(wanted));
        tokio::select! {
            biased;
            checkout = log_in_for(&mut client, checkout) => Some(checkout),
            () = until(phase, Phase::Closing) => None,
        }
    };
    let Some(checkout) = checkout else {
        return reject(client, closing()).await;
    };
    // Gone.
    let Some((checkout, early)) = checkout else { return };
    let checkout = match checkout {
        Ok(CheckedOut::Pooled(checkout)) => checkout,
        Ok(CheckedOut::Alone(own, _permit)) => {
            one_more(&shared.counters.logins);
            let server = (&*clock, pool.upstream());
            return own::carry(client, *own, early, server, shared, phase).await;
        }
        Err(denied) => {
            return reject(client, why_denied(denied, pool, shared)).await;
        }
    };
    one_more(&shared.counters.logins);
    let standing = clock.monotonic();
    observe::checked_out(standing.saturating_sub(begun), checkout.reused);
    let left = serve(client, checkout, early, pool, shared, phase).await;
    observe::ended(clock.monotonic().saturating_sub(standing), matches!(left, After::Cut));
    // The client is gone, and counts no more.
    drop(session);
    if let After::GiveBack(checkout, cancelled) = left {
        tokio::select! {
            biased;
            () = checkout.give_back(cancelled) => {}
            () = until(phase, Phase::Closing) => {}
        }
    }
}

/// What becomes of a session after a client.
enum After {
    /// Another client may have it, unless a cancel request was sent to it.
    GiveBack(Checkout, bool),
    /// It is closed.
    Over,
    /// It is closed, because the proxy ends.
    Cut,
}

/// Carries bytes until the client leaves or the server ends.
async fn serve(
    mut client: Stream,
    mut checkout: Checkout,
    early: Vec<u8>,
    pool: &Arc<Pool>,
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) -> After {
    let session = &mut *checkout.session;
    let Some((greeting, key)) = session.greet() else {
        let error = Error::new(ErrorKind::Unsupported, "the system has no random numbers");
        reject(client, to_client(&error)).await;
        return After::Over;
    };
    let upstream = Arc::clone(pool.upstream());
    let (peer, at_server) = (session.peer().clone(), session.cancel_key().clone());
    let registered = shared.cancels.register(key, Cancellable::new(upstream, peer, at_server));
    let counts = [&shared.counters.to_servers, &shared.counters.to_clients];
    let mut relay = ReusableRelay::new(session, early, greeting, counts);
    let carrying = async {
        match relay.carry(&mut client, session).await {
            // Probably it is gone, and reads nothing more.
            Ok(Left::Open) => {
                let _ = timeout(ANSWER_LIMIT, relay.carry(&mut client, session)).await;
                Ok(Left::Open)
            }
            left => left,
        }
    };
    let left = tokio::select! {
        biased;
        left = carrying => left,
        () = until(phase, Phase::Closing) => {
            one_more(&shared.counters.cut);
            if relay.is_between_messages(session) {
                send_closing(&mut client).await;
            }
            return After::Cut;
        }
    };
    match left {
        Ok(Left::Client) => After::GiveBack(checkout, registered.end()),
        Ok(Left::Server) => After::Over,
        Ok(Left::Open) => {
            checkout.leave_unsettled();
            After::Over
        }
        Err(error) => {
            checkout.leave_unsettled();
            if vanished(&error) {
                drop(client);
                Box::pin(registered.abandon()).await;
            }
            After::Over
        }
    }
}

fn why_denied(denied: Denied, pool: &Pool, shared: &Shared) -> ServerError {
    match denied {
        Denied::Login(error) => {
            shared.counters.failed(error.kind());
            to_client(&error)
        }
        Denied::Crowded => {
            one_more(&shared.counters.rejected);
            let options = pool.options();
            ServerError {
                hint: Some(format!(
                    "All {} sessions of the pool are in use. Let more of them be opened (--pool-size), wait longer \
                     (--pool-wait), or end clients that do nothing.",
                    options.size
                )),
                ..fatal(
                    "53300",
                    format!("no session of the pool became free within {:?}", options.wait),
                )
            }
        }
    }
}
