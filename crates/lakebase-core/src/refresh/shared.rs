//! State that the clones of a cache share: the value, the machine, and the one flight.
//!
//! The published value and the machine change together, under one lock. That lock is never held across an `await`,
//! a call of the origin, timer or spawner, or the drop of a future. Reading a fresh value takes no lock.

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::future::{Either, select};

use super::background::Background;
use super::flight::{Attempts, Fetched, Flight};
use super::value::Entry;
use super::{
    Action, Event, Expires, Generation, Held, Machine, Moment, Origin, Phase, Policy, Status,
};
use crate::notify::lock;
use crate::{Clock, Error, ErrorKind, Result, Runtime, Spawn, Timer, Timestamp, observe};

#[derive(Debug)]
pub(super) struct Shared<T> {
    origin: Arc<dyn Origin<T>>,
    pub(super) clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    spawn: Option<Arc<dyn Spawn>>,
    policy: Policy,
    pub(super) slot: ArcSwapOption<Entry<T>>,
    state: Mutex<State<T>>,
    pub(super) background: Arc<Background>,
}

#[derive(Debug)]
struct State<T> {
    machine: Machine,
    flight: Option<Arc<Flight<T>>>,
    /// When the first fetch since the last success failed, and why the last one failed.
    failure: Option<(Timestamp, Error)>,
    /// The phase that was reported last.
    phase: Phase,
}

/// What a caller does next.
enum Step<T> {
    Take(Held<T>),
    Fail(Error),
    Join(Arc<Flight<T>>),
}

/// What to do once the lock is released.
struct Effects<T> {
    wait: Duration,
    spawned: Option<Arc<Flight<T>>>,
    abandoned: Option<Arc<Flight<T>>>,
    entered: Option<Phase>,
}

impl<T> Shared<T> {
    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    pub(super) fn valid(&self, now: Moment) -> Option<Held<T>> {
        let entry = self.slot.load_full().filter(|entry| !entry.left(now).is_zero())?;
        Some(entry.into())
    }

    fn abandoned_error(&self) -> Error {
        let subject = self.origin.subject();
        let text = format!("fetching {subject} was abandoned: its task or runtime was shut down");
        Error::new(ErrorKind::Unavailable, text)
    }

    fn timed_out_error(&self) -> Error {
        let (subject, limit) = (self.origin.subject(), self.policy.flight_limit);
        let text = format!("{subject} did not arrive within {limit:?}");
        let error = Error::new(ErrorKind::TimedOut, text);
        match &lock(&self.state).failure {
            Some((_, cause)) => error.with_source(cause.clone()),
            None => error,
        }
    }
}

impl<T: Expires> Shared<T> {
    /// An empty one.
    pub(super) fn new(origin: Arc<dyn Origin<T>>, runtime: &Runtime, policy: Policy) -> Self {
        let machine = Machine::new(policy, RandomState::new().hash_one(runtime.clock.wall()));
        Self {
            origin,
            clock: Arc::clone(&runtime.clock),
            timer: Arc::clone(&runtime.timer),
            spawn: runtime.spawn.clone(),
            policy,
            slot: ArcSwapOption::empty(),
            state: Mutex::new(State { machine, flight: None, failure: None, phase: Phase::Empty }),
            background: Arc::default(),
        }
    }

    /// Drops the value of `generation` if it is current and the machine agrees.
    pub(super) fn invalidate(&self, generation: Generation) {
        let mut state = lock(&self.state);
        state.machine.handle(self.now(), Event::Refused { generation });
        if state.machine.generation().is_none() {
            let dropped = self.slot.swap(None);
            drop(state);
            if dropped.is_some() {
                self.background.changed.notify_waiters();
            }
        }
    }

    /// Marks the value of `generation` as stale if it is current and the machine agrees.
    pub(super) fn revalidate(&self, generation: Generation) {
        let mut state = lock(&self.state);
        state.machine.handle(self.now(), Event::Stale { generation });
        if state.machine.is_stale()
            && let Some(entry) = &*self.slot.load()
        {
            entry.stale.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn status(&self) -> Status {
        let state = lock(&self.state);
        state.machine.status(self.now(), state.failure.as_ref())
    }

    /// Starts a fetch if one is due, and waits for it if the phase demands that.
    pub(super) async fn get_slowly(self: &Arc<Self>, at_least: Duration) -> Result<Held<T>> {
        self.start_background();
        let begun = self.clock.monotonic();
        loop {
            let flight = match self.step(at_least) {
                Step::Take(held) => return Ok(held),
                Step::Fail(error) => return Err(error),
                Step::Join(flight) => flight,
            };
            let waited = self.clock.monotonic().saturating_sub(begun);
            let mut limit = self.policy.lost_after().saturating_sub(waited);
            if limit.is_zero() {
                return Err(self.timed_out_error());
            }
            if self.old_value(at_least).is_some() {
                limit = limit.min(self.policy.attempt_limit);
            }
            let outcome = pin!(flight.wait(|fetched| self.settle(&flight, fetched)));
            match select(outcome, self.timer.sleep(limit)).await {
                // The value may have expired while this task was suspended.
                Either::Left((Some(Ok(held)), _)) if !held.entry().left(self.now()).is_zero() => {
                    return Ok(held);
                }
                Either::Left((Some(Err(error)), _)) => {
                    return self.old_value(at_least).ok_or(error);
                }
                Either::Left(_) => {}
                Either::Right(_) => {
                    return self.old_value(at_least).ok_or_else(|| self.timed_out_error());
                }
            }
        }
    }

    /// The current value, if it is valid for `at_least` longer.
    fn old_value(&self, at_least: Duration) -> Option<Held<T>> {
        let now = self.now();
        self.valid(now).filter(|held| held.entry().left(now) >= at_least)
    }

    /// Decides for one caller, and starts a flight if one is due.
    fn step(self: &Arc<Self>, at_least: Duration) -> Step<T> {
        let now = self.now();
        let mut state = lock(&self.state);
        state.machine.handle(now, Event::Wanted { at_least });
        let effects = self.advance(&mut state, now);
        let may_wait = matches!(state.machine.phase(now), Phase::Fresh | Phase::Advisory);
        let is_enough = state.machine.left(now).is_some_and(|left| left >= at_least);
        let take = || self.valid(now).map(Step::Take);
        let step = match (&state.flight, &state.failure) {
            (Some(flight), _) if is_enough && may_wait && !flight.needs_waiter() => take(),
            (Some(flight), _) => Some(Step::Join(Arc::clone(flight))),
            (None, Some((_, error))) if !is_enough => Some(Step::Fail(error.clone())),
            (None, _) => take(),
        };
        drop(state);
        self.carry_out(effects);
        step.unwrap_or_else(|| Step::Fail(self.abandoned_error()))
    }

    pub(super) fn start_background(self: &Arc<Self>) {
        let Some(spawn) = &self.spawn else { return };
        let cache = Arc::downgrade(self);
        self.background.start(&**spawn, &self.timer, move || Some(cache.upgrade()?.refresh()));
    }

    /// Starts a flight if one is due; returns the time until the next one is.
    fn refresh(self: Arc<Self>) -> Duration {
        let now = self.now();
        let mut state = lock(&self.state);
        let effects = self.advance(&mut state, now);
        let wait = effects.wait;
        drop(state);
        self.carry_out(effects);
        wait
    }

    /// Polls the machine. The caller passes the result to [`carry_out`](Self::carry_out) after it has unlocked.
    fn advance(&self, state: &mut State<T>, now: Moment) -> Effects<T> {
        if let Some(flight) = state.flight.take_if(|flight| flight.is_done()) {
            // Its future panicked in a waiter.
            state.machine.handle(now, Event::Lost { flight: flight.id });
            state.fail(now, self.abandoned_error());
        }
        let action = state.machine.poll(now);
        let phase = state.machine.phase(now);
        let entered = (std::mem::replace(&mut state.phase, phase) != phase).then_some(phase);
        let current = state.machine.flight();
        let abandoned = state.flight.take_if(|flight| Some(flight.id) != current);
        if abandoned.is_some() {
            state.fail(now, self.abandoned_error());
        }
        let (id, force, retry) = match action {
            Action::Wait(wait) => return Effects { wait, spawned: None, abandoned, entered },
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
        let has_task = self.spawn.is_some();
        let flight = Arc::new(Flight::new(id, has_task, Box::pin(attempts.run())));
        state.flight = Some(Arc::clone(&flight));
        let spawned = has_task.then_some(flight);
        Effects { wait: self.policy.lost_after(), spawned, abandoned, entered }
    }

    fn carry_out(self: &Arc<Self>, effects: Effects<T>) {
        if let Some(phase) = effects.entered {
            observe::phase(self.origin.kind(), phase);
        }
        if let Some(flight) = effects.abandoned {
            flight.finish(None);
        }
        if let (Some(flight), Some(spawn)) = (effects.spawned, &self.spawn) {
            let task = FlightTask { flight, cache: Arc::downgrade(self) };
            spawn.spawn(Box::pin(async move { task.run().await }));
        }
    }

    /// Checks what a flight brought, publishes it and ends the flight.
    fn settle(&self, flight: &Flight<T>, fetched: Fetched<T>) {
        let now = self.now();
        let started = fetched.started;
        let result = fetched.result.and_then(|value| {
            let lifetime = value.lifetime(started.wall);
            if lifetime > now.since(started) {
                return Ok((value, lifetime));
            }
            let subject = self.origin.subject();
            Err(Error::new(ErrorKind::Protocol, format!("{subject} had expired when it arrived")))
        });
        let mut state = lock(&self.state);
        let is_current = state.machine.flight() == Some(flight.id);
        let (mut replaced, mut published) = (None, None);
        let outcome = match result {
            Ok((value, lifetime)) => {
                let old = self.slot.load_full();
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
                    replaced = self.slot.swap(Some(Arc::clone(&entry)));
                    state.failure = None;
                    published = Some(lifetime);
                    Some(Ok(entry.into()))
                } else {
                    if is_current {
                        state.failure = None;
                    }
                    old.map(Held::from).map(Ok)
                }
            }
            Err(error) => {
                state.machine.handle(now, Event::failed(flight.id, &error));
                if is_current {
                    state.fail(now, error.clone());
                }
                Some(Err(error))
            }
        };
        let ended = state.flight.take_if(|current| current.id == flight.id);
        drop(state);
        flight.finish(outcome);
        self.background.changed.notify_waiters();
        if let Some(lifetime) = published {
            let expires = started.wall.saturating_add(lifetime);
            observe::refreshed(self.origin.kind(), now.since(started), lifetime, expires);
        }
        drop((ended, replaced));
    }

    /// Ends a flight whose task was dropped.
    fn abandon(&self, flight: &Flight<T>) {
        let now = self.now();
        let mut state = lock(&self.state);
        if state.machine.flight() == Some(flight.id) {
            state.machine.handle(now, Event::Lost { flight: flight.id });
            state.fail(now, self.abandoned_error());
        }
        let ended = state.flight.take_if(|current| current.id == flight.id);
        drop(state);
        flight.finish(None);
        self.background.changed.notify_waiters();
        drop(ended);
    }
}

impl<T> State<T> {
    fn fail(&mut self, now: Moment, error: Error) {
        let since = self.failure.take().map_or(now.wall, |(since, _)| since);
        self.failure = Some((since, error));
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        self.background.changed.notify_waiters();
        let flight = lock(&self.state).flight.take();
        if let Some(flight) = flight {
            flight.finish(None);
        }
    }
}

/// The task that carries out a flight. It does not keep the cache alive.
struct FlightTask<T: Expires> {
    flight: Arc<Flight<T>>,
    cache: Weak<Shared<T>>,
}

impl<T: Expires> FlightTask<T> {
    async fn run(&self) {
        let fetched = self.flight.run().await;
        if let (Some(fetched), Some(cache)) = (fetched, self.cache.upgrade()) {
            cache.settle(&self.flight, fetched);
        }
    }
}

impl<T: Expires> Drop for FlightTask<T> {
    fn drop(&mut self) {
        match self.cache.upgrade() {
            Some(_) if self.flight.leave_to_waiters() => {}
            Some(cache) => cache.abandon(&self.flight),
            None => self.flight.finish(None),
        }
    }
}
