//! Drives a [`Machine`] for one value and hands the value out.
//!
//! Invariants: the slot and the machine change together, under one lock that is never held across an
//! `await`, a call-out or the drop of somebody else's value. Reading a fresh value takes no lock.

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures::future::{Either, select};

use super::attempt::Attempts;
use super::bell::{Bell, lock};
use super::flight::{Cockpit, Flight, Landing, Outcome};
use super::value::Entry;
use super::{
    Action, Demand, Event, Expires, Generation, Held, Machine, Moment, Origin, Phase, Policy,
    Status, Watch, keeper,
};
use crate::{Error, ErrorKind, Result, Runtime, Timestamp};

/// Holds the newest value of an [`Origin`] and fetches the next one before it dies.
///
/// Cheap to clone; clones share everything. Nothing runs in the background unless
/// [`keep_fresh`](Self::keep_fresh) is called: every [`get`](Self::get) looks whether a fetch is due. At most
/// one fetch is under way at any time, and it does not end when its callers go away; it is carried out by
/// a task where the runtime has a spawner, else by whoever waits for it.
#[derive(Debug)]
pub struct Cache<T> {
    pub(super) inner: Arc<Inner<T>>,
}

/// The part that readers and watchers see; it outlives the cache while somebody watches.
#[derive(Debug)]
pub(super) struct Board<T> {
    pub(super) slot: ArcSwapOption<Entry<T>>,
    pub(super) bell: Arc<Bell>,
    pub(super) closed: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Inner<T> {
    origin: Arc<dyn Origin<T>>,
    pub(super) runtime: Runtime,
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
}

/// What a caller has to do.
enum Step<T> {
    Take(Held<T>),
    Fail(Error),
    Join(Arc<Flight<T>>),
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Expires> Cache<T> {
    /// An empty cache with the default [`Policy`].
    #[must_use]
    pub fn new(origin: Arc<dyn Origin<T>>, runtime: &Runtime) -> Self {
        Self::with_policy(origin, runtime, Policy::default())
    }

    /// An empty cache.
    #[must_use]
    pub fn with_policy(origin: Arc<dyn Origin<T>>, runtime: &Runtime, policy: Policy) -> Self {
        let machine = Machine::new(policy, RandomState::new().hash_one(runtime.clock.wall()));
        let board = Board {
            slot: ArcSwapOption::empty(),
            bell: Arc::default(),
            closed: AtomicBool::new(false),
        };
        let inner = Inner {
            origin,
            runtime: runtime.clone(),
            policy,
            board: Arc::new(board),
            state: Mutex::new(State { machine, flight: None, trouble: None }),
            keeper: keeper::Switch::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The value. While it is fresh this takes no lock, waits for nothing and allocates nothing.
    ///
    /// Later a fetch starts in the background, and only in its last minute, or once it is dead, is a fetch
    /// waited for, by every caller the same. A dead value is never returned.
    ///
    /// **Cancellation:** dropping the future leaves the fetch running.
    ///
    /// # Errors
    ///
    /// The origin's, the very same for every caller of one fetch, and at once to callers until the next
    /// fetch is due; [`TimedOut`](ErrorKind::TimedOut) if a fetch was not over in time.
    pub async fn get(&self) -> Result<Held<T>> {
        self.get_for(Demand::default()).await
    }

    /// The value, with more to ask of it than [`get`](Self::get) does.
    ///
    /// [`Demand::force`] is [`invalidate`](Self::invalidate) of the current value first.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_for(&self, demand: Demand) -> Result<Held<T>> {
        let now = self.inner.now();
        let entry = self.inner.board.slot.load();
        if let Some(entry) = &*entry {
            let fresh = now.since(entry.started) < entry.fresh_for;
            if demand.force {
                self.invalidate(entry.generation);
            } else if fresh && entry.left(now) >= demand.at_least {
                return Ok(Held(Arc::clone(entry)));
            }
        }
        drop(entry);
        self.wait_for(demand.at_least).await
    }

    /// The value if it lives, without waiting and without starting a fetch. No lock, no allocation.
    #[must_use]
    pub fn peek(&self) -> Option<Held<T>> {
        self.inner.board.living(self.inner.now())
    }

    /// Reports that the value of `generation` was refused: if it is still the current one it is dropped,
    /// and the next fetch is forced past the caches below.
    ///
    /// This works twice in a row, then once per 30 s (see [`Policy`]); until then the value stays. By that
    /// time two fresh ones were refused as well, so the value is not the reason.
    pub fn invalidate(&self, generation: Generation) {
        let mut state = lock(&self.inner.state);
        state.machine.handle(self.inner.now(), Event::Refused { generation });
        if state.machine.generation().is_none() {
            let dropped = self.inner.board.slot.swap(None);
            drop(state);
            if dropped.is_some() {
                self.inner.board.bell.ring();
            }
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let now = self.inner.now();
        let state = lock(&self.inner.state);
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

    /// Completes once there is a living value newer than `seen`; at once if there is.
    ///
    /// This starts no fetch: use it beside [`keep_fresh`](Self::keep_fresh), or beside callers of
    /// [`get`](Self::get). To wait without keeping the cache alive, [`watch`](Self::watch) it.
    pub async fn changed(&self, seen: Option<Generation>) -> Held<T> {
        let board = &self.inner.board;
        let listener = board.bell.listener();
        poll_fn(|context| {
            listener.register(context.waker());
            board.newer_than(seen, self.inner.now()).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// A view that does not keep the cache alive.
    #[must_use]
    pub fn watch(&self) -> Watch<T> {
        let clock = Arc::clone(&self.inner.runtime.clock);
        Watch { board: Arc::clone(&self.inner.board), clock }
    }

    /// Fetches the next value in the background from now on, also when nobody asks.
    ///
    /// Needs a spawner in the runtime, else this does nothing. Calling it again does nothing. The task
    /// looks at the clocks at least every 30 s, does not keep the cache alive, and ends with the last
    /// clone. If its runtime ends before the cache does, a later [`get`](Self::get) starts it anew.
    pub fn keep_fresh(&self) {
        self.inner.keeper.want();
        keeper::start(&self.inner);
    }

    async fn wait_for(&self, at_least: Duration) -> Result<Held<T>> {
        let inner = &self.inner;
        keeper::start_if_wanted(inner);
        let begun = inner.runtime.clock.monotonic();
        loop {
            let flight = match inner.step(at_least) {
                Step::Take(held) => return Ok(held),
                Step::Fail(error) => return Err(error),
                Step::Join(flight) => flight,
            };
            let waited = inner.runtime.clock.monotonic().saturating_sub(begun);
            let limit = inner.policy.lease().saturating_sub(waited);
            if limit.is_zero() {
                return Err(inner.timed_out());
            }
            let joined = pin!(inner.join(&flight));
            let outcome = select(joined, inner.runtime.timer.sleep(limit)).await;
            let now = inner.now();
            match outcome {
                // Not if this task was frozen for so long that the value died meanwhile.
                Either::Left((Some(Ok(held)), _)) if !held.0.left(now).is_zero() => {
                    return Ok(held);
                }
                Either::Left((Some(Err(error)), _)) => {
                    let old = inner.board.living(now);
                    return old.filter(|old| old.0.left(now) >= at_least).ok_or(error);
                }
                Either::Left(_) => {}
                Either::Right(_) => return Err(inner.timed_out()),
            }
        }
    }
}

impl<T> Board<T> {
    pub(super) fn living(&self, now: Moment) -> Option<Held<T>> {
        let entry = self.slot.load();
        let entry = entry.as_ref().filter(|entry| !entry.left(now).is_zero())?;
        Some(Held(Arc::clone(entry)))
    }

    pub(super) fn newer_than(&self, seen: Option<Generation>, now: Moment) -> Option<Held<T>> {
        self.living(now).filter(|held| seen.is_none_or(|seen| held.generation() > seen))
    }
}

impl<T> Inner<T> {
    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.runtime.clock)
    }
}

impl<T: Expires> Inner<T> {
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
        }
        let (id, force, retry) = match state.machine.poll(now) {
            Action::Wait(wait) => return Started { wait, manned: None, abandoned: None },
            Action::Fetch { flight, force, retry } => (flight, force, retry),
        };
        let attempts = Attempts {
            origin: Arc::clone(&self.origin),
            clock: Arc::clone(&self.runtime.clock),
            timer: Arc::clone(&self.runtime.timer),
            policy: self.policy,
            force,
            retry,
        };
        let manned = self.runtime.spawn.is_some();
        let flight = Arc::new(Flight::new(id, manned, Box::pin(attempts.run())));
        let abandoned = state.flight.replace(Arc::clone(&flight));
        Started { wait: self.policy.lease(), manned: manned.then_some(flight), abandoned }
    }

    /// Carries out what must not happen under the lock.
    fn launch(self: &Arc<Self>, started: Started<T>) {
        if let Some(flight) = started.abandoned {
            flight.end(None);
        }
        if let (Some(flight), Some(spawn)) = (started.manned, &self.runtime.spawn) {
            let task = FlightTask { cockpit: flight.cockpit(), inner: Arc::downgrade(self) };
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
    fn settle(&self, flight: &Flight<T>, landing: Landing<T>) {
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
        let mut replaced = None;
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
                    let entry = Arc::new(Entry { value, generation, started, fresh_for, lifetime });
                    replaced = self.board.slot.swap(Some(Arc::clone(&entry)));
                    state.trouble = None;
                    Some(Ok(Held(entry)))
                } else {
                    if current {
                        state.trouble = None;
                    }
                    old.map(Held).map(Ok)
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
        drop((landed, replaced));
    }

    /// Gives up a flight whose task is gone.
    fn lose(&self, flight: &Flight<T>) {
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
        let error = Error::new(ErrorKind::TimedOut, format!("no {subject} within {limit:?}"));
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
}

/// The task that carries out a flight. It does not keep the cache alive.
struct FlightTask<T: Expires> {
    cockpit: Cockpit<T>,
    inner: Weak<Inner<T>>,
}

impl<T: Expires> Future for FlightTask<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Poll::Ready(landing) = self.cockpit.poll(context) else { return Poll::Pending };
        if let (Some(landing), Some(inner)) = (landing, self.inner.upgrade()) {
            inner.settle(&self.cockpit.flight, landing);
        }
        Poll::Ready(())
    }
}

impl<T: Expires> Drop for FlightTask<T> {
    fn drop(&mut self) {
        let flight = &self.cockpit.flight;
        match self.inner.upgrade() {
            Some(_) if !self.cockpit.started && !flight.is_over() => flight.unman(),
            Some(inner) => inner.lose(flight),
            None => flight.end(None),
        }
    }
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
