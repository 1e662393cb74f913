//! One fetch and the callers that share its outcome: a single flight.
//!
//! A flight owns the future of its fetch. With a spawner exactly one task polls it, otherwise its waiters do. A task
//! that is dropped before its first poll leaves the future to the waiters. A task that is dropped later ends the
//! flight, because the future may depend on the task's runtime.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::{Either, select};

use super::{Demand, FlightId, Held, Moment, Origin, Policy};
use crate::notify::{Notify, Waiter, lock};
use crate::observe::{self, Span};
use crate::{BoxFuture, Clock, Error, ErrorKind, Result, Timer};

/// The pause before the first retry within a flight; it doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The result of a flight's attempts, before the cache has checked it.
pub(super) struct Fetched<T> {
    /// When the last attempt started.
    pub(super) started: Moment,
    pub(super) result: Result<T>,
}

/// The result for waiters; `None` if the flight was abandoned.
pub(super) type Outcome<T> = Option<Result<Held<T>>>;

/// Fetches with a time-out, and retries a few times if the service cannot be reached.
pub(super) struct Attempts<T> {
    pub(super) origin: Arc<dyn Origin<T>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) policy: Policy,
    pub(super) force: bool,
    /// Whether an attempt that did not reach the service is repeated.
    pub(super) retry: bool,
}

impl<T> Attempts<T> {
    pub(super) async fn run(self) -> Fetched<T> {
        let begun = self.clock.monotonic();
        let span = Span::fetch(self.origin.kind(), self.force);
        let fetched = observe::within(span, self.fetch(begun)).await;
        let took = self.clock.monotonic().saturating_sub(begun);
        if let Err(error) = &fetched.result {
            observe::refresh_failed(self.origin.kind(), took, error);
        }
        fetched
    }

    async fn fetch(&self, begun: Duration) -> Fetched<T> {
        let demand = Demand { force: self.force, at_least: self.policy.flight_limit };
        let retries = if self.retry { Policy::TRANSPORT_RETRIES } else { 0 };
        let mut retried = 0;
        loop {
            let started = Moment::now(&*self.clock);
            let limit = self.left(begun).min(self.policy.attempt_limit);
            // A result counts however late it is polled.
            let result = match select(self.origin.fetch(demand), self.timer.sleep(limit)).await {
                Either::Left((result, _)) => result,
                Either::Right(_) => {
                    let subject = self.origin.subject();
                    let text = format!("fetching {subject} took longer than {limit:?}");
                    Err(Error::new(ErrorKind::TimedOut, text))
                }
            };
            let pause = RETRY_PAUSE * 2u32.pow(retried);
            match result {
                Err(error)
                    if retried < retries && is_unanswered(&error) && self.left(begun) > pause =>
                {
                    retried += 1;
                    self.timer.sleep(pause).await;
                }
                result => return Fetched { started, result },
            }
        }
    }

    /// The time until the flight has to end.
    fn left(&self, begun: Duration) -> Duration {
        let used = self.clock.monotonic().saturating_sub(begun);
        self.policy.flight_limit.saturating_sub(used)
    }
}

/// Whether the service did not answer, so that an immediate retry does not burden it.
fn is_unanswered(error: &Error) -> bool {
    let unanswered = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut);
    unanswered && error.status().is_none() && error.retry_after().is_none()
}

pub(super) struct Flight<T> {
    pub(super) id: FlightId,
    notify: Arc<Notify>,
    waiters: AtomicUsize,
    state: Mutex<State<T>>,
}

enum State<T> {
    Running {
        /// `None` while it is being polled.
        future: Option<BoxFuture<'static, Fetched<T>>>,
        /// Whether a task polls the future; otherwise the waiters do.
        has_task: bool,
        last_poller: Option<Poller>,
    },
    Done(Outcome<T>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Poller {
    Task,
    Waiter(u64),
}

impl<T> Flight<T> {
    pub(super) fn new(
        id: FlightId,
        has_task: bool,
        future: BoxFuture<'static, Fetched<T>>,
    ) -> Self {
        let state = State::Running { future: Some(future), has_task, last_poller: None };
        let notify = Arc::default();
        Self { id, notify, waiters: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    /// Ends the flight with `outcome` for every waiter. Does nothing if it has ended.
    pub(super) fn finish(&self, outcome: Outcome<T>) {
        let mut state = lock(&self.state);
        if matches!(&*state, State::Done(_)) {
            return;
        }
        let before = mem::replace(&mut *state, State::Done(outcome));
        drop(state);
        drop(before);
        self.notify.notify_waiters();
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(&*lock(&self.state), State::Done(_))
    }

    /// Whether no task polls the future, so that a caller has to wait for it.
    pub(super) fn needs_waiter(&self) -> bool {
        let waiting = self.waiters.load(Ordering::Relaxed) > 0;
        !waiting && matches!(&*lock(&self.state), State::Running { has_task: false, .. })
    }

    /// Waits for the outcome, and polls the future if no task does. `settle` publishes what the future brings.
    pub(super) async fn wait(&self, settle: impl Fn(Fetched<T>)) -> Outcome<T> {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        let caller = Caller { waiter: self.notify.waiter(), flight: self };
        // The caller may be dropped, so the progress of the future wakes every waiter.
        let all = Waker::from(Arc::clone(&self.notify));
        poll_fn(|context| {
            caller.waiter.register(context.waker());
            let poller = Poller::Waiter(caller.waiter.id());
            if let Poll::Ready(fetched) = self.poll(&mut Context::from_waker(&all), poller) {
                settle(fetched);
            }
            match &*lock(&self.state) {
                State::Running { .. } => Poll::Pending,
                State::Done(outcome) => Poll::Ready(outcome.clone()),
            }
        })
        .await
    }

    /// Polls the future as its task; `None` if the flight ended otherwise.
    pub(super) async fn run(&self) -> Option<Fetched<T>> {
        let waiter = self.notify.waiter();
        poll_fn(|context| {
            waiter.register(context.waker());
            if self.is_done() {
                return Poll::Ready(None);
            }
            self.poll(context, Poller::Task).map(Some)
        })
        .await
    }

    /// Leaves the future to the waiters, unless its task has polled it or the flight has ended.
    pub(super) fn leave_to_waiters(&self) -> bool {
        match &mut *lock(&self.state) {
            State::Running { has_task, last_poller: None, .. } => *has_task = false,
            _ => return false,
        }
        self.notify.notify_waiters();
        true
    }

    /// Polls the future, unless it belongs to another poller or is being polled.
    fn poll(&self, context: &mut Context<'_>, poller: Poller) -> Poll<Fetched<T>> {
        let mut future = match &mut *lock(&self.state) {
            State::Running { future, has_task, last_poller }
                if *has_task == (poller == Poller::Task) =>
            {
                let Some(future) = future.take() else { return Poll::Pending };
                *last_poller = Some(poller);
                future
            }
            _ => return Poll::Pending,
        };
        let panicking = FinishOnDrop(self);
        let fetched = future.as_mut().poll(context);
        mem::forget(panicking);
        if fetched.is_pending() {
            let mut state = lock(&self.state);
            match &mut *state {
                State::Running { future: slot, .. } => *slot = Some(future),
                State::Done(_) => {
                    drop(state);
                    drop(future);
                }
            }
        }
        fetched
    }
}

impl<T> fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Abandons a flight whose future panicked. Its waiters try again.
struct FinishOnDrop<'a, T>(&'a Flight<T>);

impl<T> Drop for FinishOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.finish(None);
    }
}

/// One caller that waits.
struct Caller<'a, T> {
    flight: &'a Flight<T>,
    waiter: Waiter<'a>,
}

impl<T> Drop for Caller<'_, T> {
    fn drop(&mut self) {
        self.flight.waiters.fetch_sub(1, Ordering::Relaxed);
        let polled_last = match &*lock(&self.flight.state) {
            State::Running { last_poller, .. } => {
                *last_poller == Some(Poller::Waiter(self.waiter.id()))
            }
            State::Done(_) => false,
        };
        if polled_last {
            // A wake-up that this caller got must reach another one.
            self.flight.notify.notify_waiters();
        }
    }
}
