//! State shared by the servers of one emulator, behind one short lock.
//!
//! Invariant: the lock is never held across an `await`; real time is read here and nowhere else.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as blocking};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};

use crate::state::{Action, State};

/// Something for the emulator's own connection to Postgres.
pub(crate) enum Order {
    /// Run these statements.
    Run(Vec<String>),
    /// Call this when everything before is done.
    Report(Box<dyn FnOnce() + Send>),
}

/// The handles of a session that are kept outside the state.
struct Line {
    /// Ends the session.
    end: oneshot::Sender<()>,
    traffic: Arc<AtomicBool>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    open: Mutex<HashMap<u64, Line>>,
    started: Instant,
    orders: mpsc::UnboundedSender<Order>,
    /// Socket of the real Postgres.
    pub(crate) socket: PathBuf,
}

/// The real wall clock, read once when an emulator starts.
#[expect(clippy::disallowed_methods, reason = "the emulated clock starts from the real one")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[expect(clippy::disallowed_methods, reason = "the emulated clock runs on the real one")]
fn monotonic() -> Instant {
    Instant::now()
}

impl Shared {
    pub(crate) fn new(state: State, socket: PathBuf, orders: mpsc::UnboundedSender<Order>) -> Self {
        Self {
            state: Mutex::new(state),
            open: Mutex::new(HashMap::new()),
            started: monotonic(),
            orders,
            socket,
        }
    }

    /// Runs `f` with the state and the real time since the start; what it leaves to do is handed on.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut State, Duration) -> T) -> T {
        let real = monotonic().saturating_duration_since(self.started);
        let (result, actions) = {
            let mut state = lock(&self.state);
            (f(&mut state, real), state.take_actions())
        };
        for action in actions {
            let statements = match action {
                Action::Close(ids) => {
                    let mut open = lock(&self.open);
                    let lines = ids.iter().filter_map(|id| open.remove(id));
                    lines.for_each(|line| _ = line.end.send(()));
                    continue;
                }
                Action::Terminate(pids) => {
                    pids.iter().map(|pid| format!("select pg_terminate_backend({pid})")).collect()
                }
                Action::Sql(statement) => vec![statement],
            };
            // Without a receiver the emulator is on its way down, and every session with it.
            let _ = self.orders.send(Order::Run(statements));
        }
        result
    }

    /// Waits until what was left to do has been done; blocks the thread.
    pub(crate) fn settle(&self) {
        let (done, wait) = blocking::channel::<()>();
        let report = Order::Report(Box::new(move || _ = done.send(())));
        if self.orders.send(report).is_ok() {
            let _ = wait.recv();
        }
    }

    /// As [`settle`](Self::settle), without blocking.
    pub(crate) async fn settled(&self) {
        let (done, wait) = oneshot::channel::<()>();
        let report = Order::Report(Box::new(move || _ = done.send(())));
        if self.orders.send(report).is_ok() {
            let _ = wait.await;
        }
    }

    /// Tells the state which sessions had traffic since the last call.
    pub(crate) fn note_traffic(&self) {
        let busy: Vec<u64> = lock(&self.open)
            .iter()
            .filter(|(_, line)| line.traffic.swap(false, Ordering::Relaxed))
            .map(|(session, _)| *session)
            .collect();
        self.with(|state, real| busy.iter().for_each(|session| state.touch(*session, real)));
    }

    /// Keeps a session on the books until the guard is dropped.
    pub(crate) fn register(&self, session: u64) -> Open<'_> {
        let (end, signal) = oneshot::channel();
        let traffic = Arc::new(AtomicBool::new(true));
        let line = Line { end, traffic: Arc::clone(&traffic) };
        lock(&self.open).insert(session, line);
        Open { shared: self, session, signal, traffic }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session that is open; dropping it closes the books on it.
pub(crate) struct Open<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) session: u64,
    /// Completes when the session has to end.
    pub(crate) signal: oneshot::Receiver<()>,
    /// To be set when bytes pass.
    pub(crate) traffic: Arc<AtomicBool>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        lock(&self.shared.open).remove(&self.session);
        self.shared.with(|state, real| state.close_session(self.session, real));
    }
}
