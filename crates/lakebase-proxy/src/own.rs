//! A client that has a session of its own.

use std::pin::pin;
use std::sync::Arc;

use lakebase_core::Clock;
use lakebase_session::startup::Startup;
use lakebase_session::{
    Relay, ServerError, Session, StartupFactory, Upstream, log_in_for, to_client,
};
use tokio::sync::watch;

use crate::cancels::{Cancellable, vanished};
use crate::observe;
use crate::rejected::{closing, reject, send_closing};
use crate::routes::Server;
use crate::shared::{Phase, Shared, until};
use crate::stats::one_more;
use crate::stream::Stream;

/// Logs in for a client and serves it until it or the server ends.
pub(crate) async fn session(
    mut client: Stream,
    startup: Startup,
    server: &Server,
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) {
    let _session = shared.counters.session();
    let clock = Arc::clone(&server.connector.runtime().clock);
    let begun = clock.monotonic();
    let login = Box::pin(log_in(&mut client, startup, server, shared, phase)).await;
    let (session, early) = match login {
        Ok(Some(connected)) => connected,
        Ok(None) => return,
        Err(why) => return reject(client, why).await,
    };
    observe::opened(clock.monotonic().saturating_sub(begun));
    carry(client, session, early, (&*clock, &server.upstream), shared, phase).await;
}

/// Carries bytes between a client and a session of its own until either is gone.
pub(crate) async fn carry(
    mut client: Stream,
    session: Session,
    early: Vec<u8>,
    (clock, upstream): (&dyn Clock, &Arc<Upstream>),
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) {
    let begun = clock.monotonic();
    let Session { mut stream, greeting, cancel, peer } = session;
    let registered = cancel.map(|key| {
        let upstream = Arc::clone(upstream);
        shared.cancels.register(key.clone(), Cancellable::new(upstream, peer, key))
    });
    let counts = [&shared.counters.to_servers, &shared.counters.to_clients];
    let mut relay = Relay::new(early, greeting.into(), counts);
    let carried = tokio::select! {
        // Either side's end is the end of both; each sees its own.
        carried = relay.carry(&mut client, &mut stream) => Some(carried),
        () = until(phase, Phase::Closing) => None,
    };
    observe::ended(clock.monotonic().saturating_sub(begun), carried.is_none());
    if let Some(Err(error)) = &carried
        && vanished(error)
        && let Some(registered) = registered
    {
        drop((client, stream));
        Box::pin(registered.abandon()).await;
    } else if carried.is_none() {
        one_more(&shared.counters.cut);
        if relay.is_between_messages() {
            send_closing(&mut client).await;
        }
    }
}

/// Logs in for a client and listens to it meanwhile: what it says is kept, and its end ends the login.
/// `None` if it is gone.
async fn log_in(
    client: &mut Stream,
    startup: Startup,
    server: &Server,
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) -> Result<Option<(Session, Vec<u8>)>, ServerError> {
    let factory = StartupFactory::new(Arc::clone(&server.upstream), startup);
    let login = pin!(server.connector.connect(&factory));
    let login = tokio::select! {
        login = log_in_for(client, login) => login,
        () = until(phase, Phase::Closing) => return Err(closing()),
    };
    let Some((login, early)) = login else { return Ok(None) };
    match login {
        Ok(connected) => {
            one_more(&shared.counters.logins);
            Ok(Some((connected, early)))
        }
        Err(error) => {
            shared.counters.failed(error.kind());
            Err(to_client(&error))
        }
    }
}
