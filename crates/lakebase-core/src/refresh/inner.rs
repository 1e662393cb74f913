//! Drives a [`Machine`] for one value.
//!
//! Invariants: the slot and the machine change together, under one lock that is never held across an
//! `await`, a call of the origin, timer or spawner, or the drop of a future. Reading a fresh value takes
//! no lock.

use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::attempt::Attempts;
use super::bell::lock;
use super::flight::{Flight, Landing, Outcome};
use super::task::FlightTask;
use super::value::Entry;
use super::watch::Board;
use super::{
    Action, Event, Expires, Generation, Held, Machine, Moment, Origin, Phase, Policy, Status,
    keeper,
};
use crate::{Clock, Error, ErrorKind, Result, Runtime, Spawn, Timer, Timestamp, observe};

/// What all clones of a cache share.
#[derive(Debug)]
pub(super) struct Inner<T> {
    origin: Arc<dyn Origin<T>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) spawn: Option<Arc<dyn Spawn>>,
    policy: Policy,
    pub(super) board: Arc<Board<T>>,
    state: Mutex<State<T>>,
    pub(super) keeper: keeper::Switch,
}

#[derive(Debug)]
struct State<T> {
    machine: Machine,
    flight: Option<Arc<Flight<T>>>,
    /// Since when fetching fails, and why it last did.
    trouble: Option<(Timestamp, Error)>,
    /// The phase that was reported last.
    phase: Phase,
}

/// What a caller has to do.
enum Step<T> {
    Take(Held<T>),
    Fail(Error),
    Join(Arc<Flight<T>>),
}

impl<T> Inner<T> {
    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }
}

impl<T: Expires> Inner<T> {
    /// An empty one.
    pub(super) fn new(origin: Arc<dyn Origin<T>>, runtime: &Runtime, policy: Policy) -> Self {
        let machine = Machine::new(policy, RandomState::new().hash_one(runtime.clock.wall()));
        Self {
            origin,
            clock: Arc::clone(&runtime.clock),
            timer: Arc::clone(&runtime.timer),
            spawn: runtime.spawn.clone(),
            policy,
            board: Arc::default(),
            state: Mutex::new(State { machine, flight: None, trouble: None, phase: Phase::Empty }),
            keeper: keeper::Switch::default(),
        }
    }

    /// Takes part in the fetch that is under way or due, as far as the phase demands it.
    pub(super) async fn wait_for(self: &Arc<Self>, at_least: Duration) -> Result<Held<T>> {
        keeper::start_if_wanted(self);
        let begun = self.clock.monotonic();
        loop {
            let flight = match self.step(at_least) {
                Step::Take(held) => return Ok(held),
                Step::Fail(error) => return Err(error),
                Step::Join(flight) => flight,
            };
            let waited = self.clock.monotonic().saturating_sub(begun);
            let mut patience = self.policy.lease().saturating_sub(waited);
            if patience.is_zero() {
                return Err(self.timed_out());
            }
            if self.spare(at_least).is_some() {
                patience = patience.min(self.policy.attempt_limit);
            }
            let joined = pin!(self.join(&flight));
            match select(joined, self.timer.sleep(patience)).await {
                // Not if this task was frozen for so long that the value died meanwhile.
                Either::Left((Some(Ok(held)), _)) if !held.entry().left(self.now()).is_zero() => {
                    return Ok(held);
                }
                Either::Left((Some(Err(error)), _)) => return self.spare(at_least).ok_or(error),
                Either::Left(_) => {}
                Either::Right(_) => {
                    return self.spare(at_least).ok_or_else(|| self.timed_out());
                }
            }
        }
    }

    /// The old value, for callers who asked for less than a new one.
    fn spare(&self, at_least: Duration) -> Option<Held<T>> {
        let now = self.now();
        self.board.living(now).filter(|held| held.entry().left(now) >= at_least)
    }

    /// Drops the value of `generation` if it is current and the machine agrees.
    pub(super) fn invalidate(&self, generation: Generation) {
        let mut state = lock(&self.state);
        state.machine.handle(self.now(), Event::Refused { generation });
        if state.machine.generation().is_none() {
            let dropped = self.board.slot.swap(None);
            drop(state);
            if dropped.is_some() {
                self.board.bell.ring();
            }
        }
    }

    /// Marks the value of `generation` as stale if it is current and the machine agrees.
    pub(super) fn revalidate(&self, generation: Generation) {
        let mut state = lock(&self.state);
        state.machine.handle(self.now(), Event::Stale { generation });
        if state.machine.is_stale()
            && let Some(entry) = &*self.board.slot.load()
        {
            entry.stale.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn status(&self) -> Status {
        let now = self.now();
        let state = lock(&self.state);
        let good_until = state.machine.left(now).map(|left| now.wall.saturating_add(left));
        match (good_until, state.trouble.clone()) {
            (None, None) => Status::Empty,
            (Some(good_until), None) => Status::Fresh { good_until },
            (Some(good_until), Some((since, last_error))) => {
                Status::Degraded { since, last_error, good_until }
            }
            (None, Some((since, last_error))) => Status::Dead { since, last_error },
        }
    }

    /// Decides for one caller, and starts a flight if one is due.
    fn step(self: &Arc<Self>, at_least: Duration) -> Step<T> {
        let now = self.now();
        let mut state = lock(&self.state);
        state.machine.handle(now, Event::Wanted { at_least });
        let started = self.advance(&mut state, now);
        let left = state.machine.left(now);
        let calm = matches!(state.machine.phase(now), Phase::Fresh | Phase::Window);
        let enough = left.is_some_and(|left| left >= at_least);
        let held = || self.board.living(now);
        let step = match &state.flight {
            Some(flight) if enough && calm && !flight.is_unattended() => held().map(Step::Take),
            Some(flight) => Some(Step::Join(Arc::clone(flight))),
            None => match &state.trouble {
                Some((_, error)) if !enough => Some(Step::Fail(error.clone())),
                _ => held().map(Step::Take),
            },
        };
        drop(state);
        self.launch(started);
        step.unwrap_or_else(|| Step::Fail(self.lost()))
    }

    /// Lets the machine go on without a caller; says when to do so again.
    pub(super) fn tick(self: &Arc<Self>) -> Duration {
        let now = self.now();
        let mut state = lock(&self.state);
        let started = self.advance(&mut state, now);
        let wait = started.wait;
        drop(state);
        self.launch(started);
        wait
    }

    /// Polls the machine. The caller must [`launch`](Self::launch) the result after unlocking.
    fn advance(self: &Arc<Self>, state: &mut State<T>, now: Moment) -> Started<T> {
        if let Some(flight) = state.flight.take_if(|flight| flight.is_over()) {
            // Its future panicked under the hands of a waiter.
            state.machine.handle(now, Event::Lost { flight: flight.id });
            state.fail(now, self.lost());
        }
        let action = state.machine.poll(now);
        let phase = state.machine.phase(now);
        let entered = (std::mem::replace(&mut state.phase, phase) != phase).then_some(phase);
        let current = state.machine.flight();
        let abandoned = state.flight.take_if(|flight| Some(flight.id) != current);
        if abandoned.is_some() {
            state.fail(now, self.lost());
        }
        let (id, force, retry) = match action {
            Action::Wait(wait) => return Started { wait, manned: None, abandoned, entered },
            Action::Fetch { flight, force, retry } => (flight, force, retry),
        };
        let attempts = Attempts {
            origin: Arc::clone(&self.origin),
            clock: Arc::clone(&self.clock),
            timer: Arc::clone(&self.timer),
            policy: self.policy,
            force,
            retry,
        };
        let manned = self.spawn.is_some();
        let flight = Arc::new(Flight::new(id, manned, Box::pin(attempts.run())));
        state.flight = Some(Arc::clone(&flight));
        let manned = manned.then_some(flight);
        Started { wait: self.policy.lease(), manned, abandoned, entered }
    }

    /// Carries out what must not happen under the lock.
    fn launch(self: &Arc<Self>, started: Started<T>) {
        if let Some(phase) = started.entered {
            observe::phase(self.origin.kind(), phase);
        }
        if let Some(flight) = started.abandoned {
            flight.end(None);
        }
        if let (Some(flight), Some(spawn)) = (started.manned, &self.spawn) {
            let task = FlightTask::new(flight.cockpit(), Arc::downgrade(self));
            spawn.spawn(Box::pin(task));
        }
    }

    async fn join(&self, flight: &Arc<Flight<T>>) -> Outcome<T> {
        let seat = flight.seat();
        poll_fn(|context| {
            if let Poll::Ready(landing) = seat.poll(context.waker()) {
                self.settle(flight, landing);
            }
            flight.outcome().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Judges what a flight brought, publishes it and tells the waiters.
    pub(super) fn settle(&self, flight: &Flight<T>, landing: Landing<T>) {
        let now = self.now();
        let started = landing.started;
        let result = landing.result.and_then(|value| {
            let lifetime = value.lifetime(started.wall);
            if lifetime > now.since(started) {
                return Ok((value, lifetime));
            }
            let subject = self.origin.subject();
            Err(Error::new(ErrorKind::Protocol, format!("{subject} had expired when it arrived")))
        });
        let mut state = lock(&self.state);
        let current = state.machine.flight() == Some(flight.id);
        let (mut replaced, mut news) = (None, None);
        let outcome = match result {
            Ok((value, lifetime)) => {
                let old = self.board.slot.load_full();
                let same = old.as_ref().is_some_and(|old| value.same_as(&old.value));
                let before = state.machine.generation();
                let event = Event::Fetched { flight: flight.id, started, lifetime, same };
                state.machine.handle(now, event);
                if let Some((generation, fresh_for, lifetime)) = state.machine.spans()
                    && before != Some(generation)
                {
                    let stale = AtomicBool::new(false);
                    let fresh_until = started.saturating_add(fresh_for);
                    let entry = Entry { value, generation, started, fresh_until, lifetime, stale };
                    let entry = Arc::new(entry);
                    replaced = self.board.slot.swap(Some(Arc::clone(&entry)));
                    state.trouble = None;
                    news = Some(lifetime);
                    Some(Ok(entry.into()))
                } else {
                    if current {
                        state.trouble = None;
                    }
                    old.map(Held::from).map(Ok)
                }
            }
            Err(error) => {
                let permanent = is_permanent(&error);
                let retry_after = error.retry_after();
                let event = Event::Failed { flight: flight.id, permanent, retry_after };
                state.machine.handle(now, event);
                if current {
                    state.fail(now, error.clone());
                }
                Some(Err(error))
            }
        };
        let landed = state.flight.take_if(|current| current.id == flight.id);
        drop(state);
        flight.end(outcome);
        self.board.bell.ring();
        if let Some(lifetime) = news {
            let expires = started.wall.saturating_add(lifetime);
            observe::refreshed(self.origin.kind(), now.since(started), lifetime, expires);
        }
        drop((landed, replaced));
    }

    /// Gives up a flight whose task is gone.
    pub(super) fn lose(&self, flight: &Flight<T>) {
        let now = self.now();
        let mut state = lock(&self.state);
        if state.machine.flight() == Some(flight.id) {
            state.machine.handle(now, Event::Lost { flight: flight.id });
            state.fail(now, self.lost());
        }
        let landed = state.flight.take_if(|current| current.id == flight.id);
        drop(state);
        flight.end(None);
        self.board.bell.ring();
        drop(landed);
    }

    fn lost(&self) -> Error {
        let subject = self.origin.subject();
        let text = format!("fetching {subject} was abandoned: its task or runtime was shut down");
        Error::new(ErrorKind::Unavailable, text)
    }

    fn timed_out(&self) -> Error {
        let (subject, limit) = (self.origin.subject(), self.policy.flight_limit);
        let error =
            Error::new(ErrorKind::TimedOut, format!("{subject} did not arrive within {limit:?}"));
        match &lock(&self.state).trouble {
            Some((_, cause)) => error.with_source(cause.clone()),
            None => error,
        }
    }
}

impl<T> State<T> {
    fn fail(&mut self, now: Moment, error: Error) {
        let since = self.trouble.take().map_or(now.wall, |(since, _)| since);
        self.trouble = Some((since, error));
    }
}

impl<T> Drop for Inner<T> {
    fn drop(&mut self) {
        self.board.closed.store(true, Ordering::Release);
        self.board.bell.ring();
        let flight = lock(&self.state).flight.take();
        if let Some(flight) = flight {
            flight.end(None);
        }
    }
}

/// What to do after unlocking.
struct Started<T> {
    wait: Duration,
    manned: Option<Arc<Flight<T>>>,
    abandoned: Option<Arc<Flight<T>>>,
    /// A phase that was not reported yet.
    entered: Option<Phase>,
}

/// Whether somebody has to change something before the same request can succeed.
fn is_permanent(error: &Error) -> bool {
    use ErrorKind::{
        Closed, Config, Disabled, InvalidRequest, LoginRefused, NotFound, PermissionDenied,
        Unauthenticated, Unsupported,
    };
    matches!(
        error.kind(),
        Closed
            | Config
            | Disabled
            | InvalidRequest
            | LoginRefused
            | NotFound
            | PermissionDenied
            | Unauthenticated
            | Unsupported
    )
}
