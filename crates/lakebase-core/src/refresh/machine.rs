//! The state machine that decides *when* a value is fetched.
//!
//! [`Machine`] holds no value, no clock and no task. Its owner reports events and carries out actions:
//!
//! ```text
//!   Event ──▶ handle ──▶ Machine ──▶ poll ──▶ Action
//! ```
//!
//! Invariants: there is one flight at a time. A flight that does not report in time counts as lost. After a failure the
//! next flight waits for its pause, for every caller. A value that has expired never becomes valid again.

use std::time::Duration;

use super::policy::{Backoff, ForcedLimit};
use super::{Generation, Moment, Policy, Status};
use crate::{Error, Jitter, Timestamp};

/// Identifies one flight: all attempts at one fetch. The default identifies none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlightId(u64);

/// An event that the machine reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A caller asks for a value that is valid for at least this long.
    Wanted {
        /// Zero accepts any valid value.
        at_least: Duration,
    },
    /// A server refused the value of `generation`.
    Refused {
        /// Ignored unless it is the current one.
        generation: Generation,
    },
    /// The value of `generation` may be outdated; it is better than none.
    Stale {
        /// Ignored unless it is the current one.
        generation: Generation,
    },
    /// A flight brought a value.
    Fetched {
        /// Which flight.
        flight: FlightId,
        /// When the attempt that brought it started.
        started: Moment,
        /// How long it is valid, from `started`.
        lifetime: Duration,
        /// Whether it is the current value again.
        same: bool,
    },
    /// A flight failed.
    Failed {
        /// Which flight; ignored unless it is the current one.
        flight: FlightId,
        /// Whether the same fetch fails until a setting or a grant changes.
        permanent: bool,
        /// The least pause that the service asked for.
        retry_after: Option<Duration>,
    },
    /// The task that carried out a flight was dropped.
    Lost {
        /// Which flight; ignored unless it is the current one.
        flight: FlightId,
    },
}

impl Event {
    /// The failure of `flight` with `error`.
    #[must_use]
    pub fn failed(flight: FlightId, error: &Error) -> Self {
        let permanent = error.kind().is_permanent();
        Self::Failed { flight, permanent, retry_after: error.retry_after() }
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a flight, and report its end.
    Fetch {
        /// The new flight. Abandon any earlier one.
        flight: FlightId,
        /// Whether to go past every cache below.
        force: bool,
        /// Whether attempts that do not reach the service may be repeated within the flight.
        retry: bool,
    },
    /// Nothing, until the next event or until this time has passed.
    Wait(Duration),
}

/// How old the current value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Empty,
    /// Callers get it; no fetch is due.
    Fresh,
    /// Callers get it, while the next one is fetched in the background.
    Advisory,
    /// Near its end, or [stale](Event::Stale): callers wait for the fetch, and get the old value if it fails.
    Mandatory,
    /// Callers never get it again.
    Expired,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    generation: Generation,
    started: Moment,
    /// How long after `started` it is fresh.
    fresh_for: Duration,
    /// How long after `started` it expires.
    lifetime: Duration,
    stale: bool,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    id: FlightId,
    started: Moment,
}

/// The state of one cache, without the value.
#[derive(Clone, Debug)]
pub struct Machine {
    policy: Policy,
    /// For pauses, and for values that are scattered.
    jitter: Jitter,
    /// The part of the usual jitter that this instance uses, in thousandths; drawn once, so that instances keep apart.
    pub(super) earliness: u32,
    last_generation: u64,
    last_flight: u64,
    life: Option<Life>,
    flight: Option<Flight>,
    backoff: Backoff,
    forced: ForcedLimit,
    /// Flights lost in a row. The first is replaced at once; later ones count as failures.
    losses: u32,
    /// A caller asked since the last flight started.
    wanted: bool,
    /// A caller asked for a value that is valid longer than the current one.
    wanted_longer: bool,
    /// The last value was refused, and no other has come since.
    force: bool,
}

impl Machine {
    /// A machine without a value; the same `seed` and events always give the same actions.
    #[must_use]
    pub fn new(policy: Policy, seed: u64) -> Self {
        let mut jitter = Jitter::seeded(policy.seed.unwrap_or(seed));
        Self {
            earliness: jitter.up_to(1000),
            last_generation: 0,
            last_flight: 0,
            life: None,
            flight: None,
            backoff: Backoff::default(),
            forced: ForcedLimit::default(),
            losses: 0,
            wanted: false,
            wanted_longer: false,
            force: false,
            jitter,
            policy,
        }
    }

    /// Records `event`, which happened at `now`. Call [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Moment, event: Event) {
        match event {
            Event::Wanted { at_least } => {
                self.wanted = true;
                self.wanted_longer |= self.left(now).is_some_and(|left| left < at_least);
            }
            Event::Refused { generation } => {
                let current = self.generation() == Some(generation);
                if current && self.forced.take(now) {
                    self.life = None;
                    self.force = true;
                }
            }
            Event::Stale { generation } => {
                let current = self.generation() == Some(generation) && !self.is_stale();
                if current && self.forced.take(now) {
                    self.life = self.life.map(|life| Life { stale: true, ..life });
                }
            }
            Event::Fetched { flight, started, lifetime, same } => {
                let lifetime = lifetime.min(Policy::LONGEST_LIFE);
                let in_time = self.end(flight);
                let left = lifetime.saturating_sub(now.since(started));
                let held = self.left(now).filter(|_| !self.is_stale());
                let gain = left > held.unwrap_or_default() && !same;
                if gain {
                    self.last_generation += 1;
                    let generation = Generation(self.last_generation);
                    let fresh_for = self.fresh_for(lifetime, held.is_some());
                    let life = Life { generation, started, fresh_for, lifetime, stale: false };
                    self.life = Some(life);
                    self.backoff = Backoff::default();
                    self.losses = 0;
                    self.force = false;
                } else if in_time && left.is_zero() {
                    self.back_off(now, false, None);
                } else if in_time {
                    self.backoff.no_progress(now);
                }
            }
            Event::Failed { flight, permanent, retry_after } => {
                if self.end(flight) {
                    self.back_off(now, permanent, retry_after);
                }
            }
            Event::Lost { flight } => {
                if self.end(flight) {
                    self.losses = self.losses.saturating_add(1);
                    if self.losses > 1 {
                        self.back_off(now, false, None);
                    }
                }
            }
        }
    }

    /// Returns what to do at `now`. It keeps a value in stock, also while no caller asks.
    #[must_use = "a fetch that is not carried out blocks the machine until it counts as lost"]
    pub fn poll(&mut self, now: Moment) -> Action {
        if let Some(flight) = &self.flight {
            let rest = self.policy.lost_after().saturating_sub(now.since(flight.started));
            if !rest.is_zero() {
                return Action::Wait(rest);
            }
            // It does not count as a loss: it took so long that no pause is needed.
            self.flight = None;
        }
        let wait = self.due_in(now);
        if !wait.is_zero() {
            return Action::Wait(wait);
        }
        self.last_flight += 1;
        let flight = FlightId(self.last_flight);
        self.flight = Some(Flight { id: flight, started: now });
        (self.wanted, self.wanted_longer) = (false, false);
        Action::Fetch { flight, force: self.force, retry: self.backoff.is_clear() }
    }

    /// The time until the next flight may start.
    fn due_in(&self, now: Moment) -> Duration {
        let valid = self.left(now).is_some();
        let rest = match self.life {
            Some(life) if !self.wanted_longer && !life.stale => {
                life.fresh_for.saturating_sub(now.since(life.started))
            }
            _ => Duration::ZERO,
        };
        rest.max(self.backoff.left(now, valid, self.wanted))
    }

    /// Ends the flight if it is the current one.
    fn end(&mut self, flight: FlightId) -> bool {
        self.flight.take_if(|current| current.id == flight).is_some()
    }

    /// Starts the pause after a failure.
    fn back_off(&mut self, now: Moment, permanent: bool, retry_after: Option<Duration>) {
        self.backoff.failed(now, &mut self.jitter, permanent, retry_after);
    }

    /// How long a value with this lifetime is fresh on this instance. `ahead` says that its predecessor was still valid
    /// when it came.
    ///
    /// The start of a fleet, or the end of an outage, makes many instances fetch at the same time. A value that was not
    /// fetched ahead of need is therefore scattered over its life, and the instances keep apart afterwards.
    fn fresh_for(&mut self, lifetime: Duration, ahead: bool) -> Duration {
        let fresh = lifetime.saturating_sub(Policy::advisory_window(lifetime));
        if self.policy.scatter && !(ahead && self.backoff.is_clear()) {
            return fresh / 1000 * (50 + self.jitter.up_to(950));
        }
        fresh.saturating_sub(lifetime / 24 * self.earliness / 1000)
    }

    /// How long the current value is fresh and how long it is valid, both from its start.
    pub(super) fn spans(&self) -> Option<(Generation, Duration, Duration)> {
        self.life.map(|life| (life.generation, life.fresh_for, life.lifetime))
    }

    /// The current value; it may have expired.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        self.life.map(|life| life.generation)
    }

    /// Whether the current value was reported to be [stale](Event::Stale).
    pub(super) fn is_stale(&self) -> bool {
        self.life.is_some_and(|life| life.stale)
    }

    /// The flight that has not ended.
    #[must_use]
    pub fn flight(&self) -> Option<FlightId> {
        self.flight.map(|flight| flight.id)
    }

    /// How long the current value is still valid; `None` without a valid value.
    #[must_use]
    pub fn left(&self, now: Moment) -> Option<Duration> {
        let life = self.life?;
        let left = life.lifetime.saturating_sub(now.since(life.started));
        (!left.is_zero()).then_some(left)
    }

    /// The phase of the current value at `now`.
    #[must_use]
    pub fn phase(&self, now: Moment) -> Phase {
        let Some(life) = self.life else { return Phase::Empty };
        let age = now.since(life.started);
        if age >= life.lifetime {
            Phase::Expired
        } else if life.stale
            || age >= life.lifetime.saturating_sub(Policy::mandatory_window(life.lifetime))
        {
            Phase::Mandatory
        } else if age >= life.fresh_for {
            Phase::Advisory
        } else {
            Phase::Fresh
        }
    }
    /// The status at `now`; `failure` is the time of the first failure since the last success, and the last error.
    #[must_use]
    pub fn status(&self, now: Moment, failure: Option<&(Timestamp, Error)>) -> Status {
        let good_until = self.left(now).map(|left| now.wall.saturating_add(left));
        match (good_until, failure.cloned()) {
            (None, None) => Status::Empty,
            (Some(good_until), None) => Status::Fresh { good_until },
            (Some(good_until), Some((since, last_error))) => {
                Status::Degraded { since, last_error, good_until }
            }
            (None, Some((since, last_error))) => Status::Dead { since, last_error },
        }
    }
}
