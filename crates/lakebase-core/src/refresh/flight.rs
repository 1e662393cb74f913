//! One fetch with its attempts, which outlives the callers that wait for it.
//!
//! The future belongs to the [`Flight`], not to a task. With a spawner exactly one task polls it; without
//! one, whoever waits does. A task that was dropped before its first poll leaves the future to the
//! waiters; one that was dropped later takes it along, because it may be tied to a dead runtime.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::bell::{Bell, Listener, lock};
use super::{FlightId, Held, Moment};
use crate::{BoxFuture, Result};

/// What the attempts came to, before the cache judged it.
pub(super) struct Landing<T> {
    /// When the last attempt started.
    pub(super) started: Moment,
    pub(super) result: Result<T>,
}

/// What waiters get; `None` if the flight was given up.
pub(super) type Outcome<T> = Option<Result<Held<T>>>;

pub(super) struct Flight<T> {
    pub(super) id: FlightId,
    bell: Arc<Bell>,
    waiters: AtomicUsize,
    state: Mutex<State<T>>,
}

enum State<T> {
    Running {
        /// `None` while somebody polls it.
        future: Option<BoxFuture<'static, Landing<T>>>,
        /// Whether a task has it; else the waiters poll it.
        manned: bool,
        /// The waiter that polled it last.
        driver: u64,
    },
    Over(Outcome<T>),
}

impl<T> Flight<T> {
    pub(super) fn new(id: FlightId, manned: bool, future: BoxFuture<'static, Landing<T>>) -> Self {
        let state = State::Running { future: Some(future), manned, driver: 0 };
        let bell = Arc::default();
        Self { id, bell, waiters: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    /// Ends the flight; everybody gets `outcome`. Does nothing if it is over.
    pub(super) fn end(&self, outcome: Outcome<T>) {
        let mut state = lock(&self.state);
        let before = match &*state {
            State::Running { .. } => mem::replace(&mut *state, State::Over(outcome)),
            State::Over(_) => return,
        };
        drop(state);
        drop(before);
        self.bell.ring();
    }

    /// How it ended; `None` while it runs.
    pub(super) fn outcome(&self) -> Option<Outcome<T>> {
        match &*lock(&self.state) {
            State::Running { .. } => None,
            State::Over(outcome) => Some(outcome.clone()),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(&*lock(&self.state), State::Over(_))
    }

    /// Whether nobody carries it out, so that a caller has to.
    pub(super) fn is_unattended(&self) -> bool {
        let waiting = self.waiters.load(Ordering::Relaxed) > 0;
        !waiting && matches!(&*lock(&self.state), State::Running { manned: false, .. })
    }

    /// Leaves the future to the waiters.
    pub(super) fn unman(&self) {
        if let State::Running { manned, .. } = &mut *lock(&self.state) {
            *manned = false;
        }
        self.bell.ring();
    }

    /// Polls the future, unless it is somebody else's or being polled.
    fn drive(&self, context: &mut Context<'_>, task: bool, key: u64) -> Poll<Landing<T>> {
        let mut future = match &mut *lock(&self.state) {
            State::Running { future, manned, driver } if *manned == task => match future.take() {
                Some(future) => {
                    *driver = key;
                    future
                }
                None => return Poll::Pending,
            },
            _ => return Poll::Pending,
        };
        let unwinding = EndOnDrop(self);
        let landing = future.as_mut().poll(context);
        mem::forget(unwinding);
        if landing.is_pending() {
            let mut state = lock(&self.state);
            match &mut *state {
                State::Running { future: place, .. } => *place = Some(future),
                State::Over(_) => {
                    drop(state);
                    drop(future);
                }
            }
        }
        landing
    }

    /// Where one caller waits.
    pub(super) fn seat(self: &Arc<Self>) -> Seat<T> {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        Seat { listener: self.bell.listener(), flight: Arc::clone(self) }
    }

    /// The place of the task that carries it out.
    pub(super) fn cockpit(self: &Arc<Self>) -> Cockpit<T> {
        Cockpit { listener: self.bell.listener(), flight: Arc::clone(self), started: false }
    }
}

impl<T> fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Ends a flight whose future panicked; waiters try again in their own name.
struct EndOnDrop<'a, T>(&'a Flight<T>);

impl<T> Drop for EndOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

/// One waiting caller.
pub(super) struct Seat<T> {
    flight: Arc<Flight<T>>,
    listener: Listener,
}

impl<T> Seat<T> {
    /// Registers for news, and polls the future if that is left to the waiters.
    pub(super) fn poll(&self, waker: &Waker) -> Poll<Landing<T>> {
        self.listener.register(waker);
        // Whoever polls the future may be dropped, so its progress wakes everybody.
        let everybody = Waker::from(Arc::clone(&self.flight.bell));
        self.flight.drive(&mut Context::from_waker(&everybody), false, self.listener.key())
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        self.flight.waiters.fetch_sub(1, Ordering::Relaxed);
        let drove = match &*lock(&self.flight.state) {
            State::Running { manned: false, driver, .. } => *driver == self.listener.key(),
            _ => false,
        };
        if drove {
            // A wake-up that was meant for this caller must not be lost on the others.
            self.flight.bell.ring();
        }
    }
}

/// The task's side of a manned flight.
pub(super) struct Cockpit<T> {
    pub(super) flight: Arc<Flight<T>>,
    listener: Listener,
    /// Whether the future was polled, and so may be tied to the task's runtime.
    pub(super) started: bool,
}

impl<T> Cockpit<T> {
    /// Polls the future; `Ready(None)` once the flight is over by other means.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Landing<T>>> {
        self.listener.register(context.waker());
        if self.flight.is_over() {
            return Poll::Ready(None);
        }
        self.started = true;
        self.flight.drive(context, true, 0).map(Some)
    }
}
