//! One client, from its first byte to its last.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lakebase_session::startup::{CancelKey, Startup};
use lakebase_session::{
    Reached, Relay, ServerError, Session, StartupFactory, Upstream, log_in_for, to_client,
};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::door::{Door, Opened};
use crate::observe;
use crate::pending::Pending;
use crate::refused::{Refused, TurnedAway};
use crate::routes::{Routes, Server};
use crate::stats::{Counters, one_more};
use crate::stream::Stream;

/// How long a client may take to read why it is turned away, and to go.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a server may take to deal with a cancel request.
const CANCEL_LIMIT: Duration = Duration::from_secs(10);
/// So many connections may start up at once also where few sessions are allowed, so that clients that come together
/// do not end each other.
const MIN_PENDING: usize = 64;

/// How a proxy is doing, as its sessions see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Clients are welcome.
    Serving,
    /// Sessions go on, and nobody else gets in.
    Draining,
    /// Sessions end now.
    Closing,
}

/// What the sessions of a proxy have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    pub(crate) pending: Arc<Pending>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) startup_timeout: Duration,
    cancels: Mutex<HashMap<CancelKey, (Arc<Upstream>, Reached)>>,
}

impl Shared {
    pub(crate) fn new(max_connections: usize, startup_timeout: Duration) -> Self {
        Self {
            counters: Counters::default(),
            pending: Arc::new(Pending::new(max_connections.max(MIN_PENDING))),
            places: Arc::new(Semaphore::new(max_connections)),
            startup_timeout,
            cancels: Mutex::default(),
        }
    }

    fn cancels(&self) -> MutexGuard<'_, HashMap<CancelKey, (Arc<Upstream>, Reached)>> {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the sessions of a listener have in common.
pub(crate) struct Entrance {
    pub(crate) door: Door,
    pub(crate) routes: Routes,
}

/// Serves one client.
pub(crate) async fn serve(
    stream: Stream,
    entrance: Arc<Entrance>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    one_more(&shared.counters.accepted);
    // In a box of its own, which is given back before the long part begins.
    let opened = Box::pin(open(stream, &entrance, &shared, &mut phase)).await;
    match opened {
        Some(Ok(Opened::Session(stream, startup))) => {
            session(stream, startup, &entrance, &shared, &mut phase).await;
        }
        Some(Ok(Opened::Cancel(stream, key))) => {
            if shared.cancels().contains_key(&key) {
                one_more(&shared.counters.cancel_requests);
            }
            // There is no answer, also not about a session that is not known.
            Box::pin(cancel(&key, &shared)).await;
            drop(stream);
        }
        Some(Err(Refused::Away(client))) => {
            one_more(&shared.counters.refused);
            Box::pin(turn_away(client)).await;
        }
        Some(Err(Refused::Gone)) | None => one_more(&shared.counters.refused),
    }
}

/// `None` if the client took too long, had to make room, or came too late.
async fn open(
    stream: Stream,
    entrance: &Entrance,
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) -> Option<Result<Opened, Refused>> {
    let mut place = shared.pending.enter();
    let (limit, mut received) = (shared.startup_timeout, 0);
    let opened = tokio::select! {
        opened = timeout(limit, entrance.door.open(stream, &mut received)) => opened,
        () = place.evicted() => return None,
        () = until(phase, Phase::Draining) => return None,
    };
    // Who never says anything is often there to see whether somebody listens.
    if opened.is_err() && received > 0 {
        observe::took_too_long(limit, received);
    }
    opened.ok()
}

/// Completes once the proxy is at least at `goal`, or gone.
async fn until(phase: &mut watch::Receiver<Phase>, goal: Phase) {
    let _ = phase.wait_for(|phase| *phase as u8 >= goal as u8).await;
}

async fn session(
    mut client: Stream,
    startup: Startup,
    entrance: &Entrance,
    shared: &Shared,
    phase: &mut watch::Receiver<Phase>,
) {
    let Ok(_place) = shared.places.try_acquire() else {
        one_more(&shared.counters.refused);
        let why = fatal("53300", "sorry, too many clients already");
        return Box::pin(turn_away(TurnedAway::answered(client, why))).await;
    };
    shared.counters.sessions.fetch_add(1, Ordering::Relaxed);
    let _session = OnDrop(|| {
        shared.counters.sessions.fetch_sub(1, Ordering::Relaxed);
    });
    let server = entrance.routes.choose(&startup);
    let clock = Arc::clone(&server.connector.runtime().clock);
    let begun = clock.monotonic();
    let login = Box::pin(log_in(&mut client, startup, server, shared, phase)).await;
    let (connected, early) = match login {
        Ok(Some(connected)) => connected,
        Ok(None) => return,
        Err(why) => return Box::pin(turn_away(TurnedAway::answered(client, why))).await,
    };
    let standing = clock.monotonic();
    observe::opened(standing.saturating_sub(begun));
    let Session { stream: mut upstream, greeting, cancel: key, reached } = connected;
    if let Some(key) = &key {
        shared.cancels().insert(key.clone(), (Arc::clone(&server.upstream), reached));
    }
    let _cancel = OnDrop(|| {
        if let Some(key) = &key {
            shared.cancels().remove(key);
        }
    });
    let counts = [&shared.counters.to_servers, &shared.counters.to_clients];
    let mut relay = Relay::new(early, greeting.into(), counts);
    let carried = tokio::select! {
        // Either side's end is the end of both; each sees its own.
        carried = relay.carry(&mut client, &mut upstream) => Some(carried),
        () = until(phase, Phase::Closing) => None,
    };
    observe::ended(clock.monotonic().saturating_sub(standing), carried.is_none());
    if let Some(Err(error)) = &carried
        && vanished(error)
        && let Some(key) = &key
    {
        drop((client, upstream));
        // A server that works looks for its client only when it has something to say.
        Box::pin(cancel(key, shared)).await;
    } else if carried.is_none() {
        one_more(&shared.counters.cut);
        if relay.is_between_messages() {
            let why = fatal("57P01", "terminating connection due to administrator command");
            let _ = timeout(FAREWELL, say(&mut client, &why.encode())).await;
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
    let login = tokio::select! {
        login = log_in_for(client, server.connector.connect(&factory)) => login,
        () = until(phase, Phase::Closing) => {
            return Err(fatal("57P01", "terminating connection due to administrator command"));
        }
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

/// Cancels the statement of the session that has `key`, if there is one, and completes when the server has dealt with that.
async fn cancel(key: &CancelKey, shared: &Shared) {
    let known = shared.cancels().get(key).cloned();
    if let Some((upstream, reached)) = known {
        let _ = timeout(CANCEL_LIMIT, upstream.cancel(&reached, key)).await;
    }
}

/// Whether the other side of a connection is out of reach, and not just gone: nobody there says that it ended.
fn vanished(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    matches!(error.kind(), HostUnreachable | NetworkDown | NetworkUnreachable | TimedOut)
}

fn fatal(sqlstate: &str, message: &str) -> ServerError {
    let (sqlstate, message) = (sqlstate.to_owned(), message.to_owned());
    ServerError { sqlstate, message, ..ServerError::default() }
}

/// Says what there is to say and waits a little until the client has read it and goes: closing earlier, with bytes of the
/// client unread, would take the answer back, and reset a connection that only ends.
async fn turn_away(client: TurnedAway) {
    let TurnedAway { mut stream, why, answer } = client;
    observe::turned_away(&why, !answer.is_empty());
    let farewell = async {
        say(&mut stream, &answer).await?;
        let mut ignored = [0; 1024];
        for _ in 0..64 {
            if stream.read(&mut ignored).await? == 0 {
                break;
            }
        }
        Ok::<_, io::Error>(())
    };
    let _ = timeout(FAREWELL, farewell).await;
}

async fn say(stream: &mut Stream, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.flush().await?;
    stream.close().await
}

/// Runs `F` on drop, also when a task is cancelled.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
