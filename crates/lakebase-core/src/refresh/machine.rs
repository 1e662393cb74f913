//! Decides *when* a value is fetched; never fetches one itself.
//!
//! [`Machine`] holds no value, no clock and no task. Its owner reports what happened and carries out what
//! it is told:
//!
//! ```text
//!   Event ──▶ handle ──▶ Machine ──▶ poll ──▶ Action
//! ```
//!
//! Invariants: one flight at a time; a flight that does not report within its lease is given up; after a
//! failure the next flight waits for its spacing, whoever asks; a value past its life is never
//! [living](Machine::left) again.

use std::time::Duration;

use super::spacing::{Bucket, Spacing};
use super::{Generation, Moment, Policy};
use crate::Jitter;

/// Names one flight: all attempts at one fetch. The default names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlightId(u64);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A caller asks for a value with at least this much life left.
    Wanted {
        /// Zero takes any living value.
        at_least: Duration,
    },
    /// The user of the value of `generation` was refused with it.
    Refused {
        /// Ignored unless it is the current one.
        generation: Generation,
    },
    /// The value of `generation` may be outdated, but is better than none.
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
        /// How long it lives, from `started`.
        lifetime: Duration,
        /// Whether it is the current value again.
        same: bool,
    },
    /// A flight failed.
    Failed {
        /// Which flight; ignored unless it is the current one.
        flight: FlightId,
        /// Whether somebody has to change something before it can succeed.
        permanent: bool,
        /// The least spacing that the service asked for.
        retry_after: Option<Duration>,
    },
    /// Whoever carried out a flight is gone.
    Lost {
        /// Which flight; ignored unless it is the current one.
        flight: FlightId,
    },
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a flight, and report its end under this name.
    Fetch {
        /// The new flight. Any earlier one is given up: abandon it.
        flight: FlightId,
        /// Whether to go past every cache below.
        force: bool,
        /// Whether attempts that do not reach the service may be repeated within the flight.
        retry: bool,
    },
    /// Nothing, until an event or until this much time has passed.
    Wait(Duration),
}

/// How old the current value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Empty,
    /// Handed out; nothing to do.
    Fresh,
    /// Handed out, while the next one is fetched in the background.
    Window,
    /// Near its end, or [stale](Event::Stale): callers wait for the fetch that is under way, and get the old one
    /// if it fails.
    Edge,
    /// Never handed out again.
    Dead,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    generation: Generation,
    started: Moment,
    /// How long after `started` it is fresh.
    fresh_for: Duration,
    /// How long after `started` it is dead.
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
    /// For pauses, and for lives that are scattered.
    jitter: Jitter,
    /// How much of the usual jitter this instance uses, in thousandths; drawn once, so that nothing clusters.
    pub(super) earliness: u32,
    last_generation: u64,
    last_flight: u64,
    life: Option<Life>,
    flight: Option<Flight>,
    spacing: Spacing,
    permits: Bucket,
    /// Flights lost in a row. One is bad luck; more are spaced like failures.
    losses: u32,
    /// Somebody asked since the last flight started.
    wanted: bool,
    /// Somebody asked for more life than the current value has left.
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
            spacing: Spacing::default(),
            permits: Bucket::default(),
            losses: 0,
            wanted: false,
            wanted_longer: false,
            force: false,
            jitter,
            policy,
        }
    }

    /// Takes note of `event`, which happened at `now`. Call [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Moment, event: Event) {
        match event {
            Event::Wanted { at_least } => {
                self.wanted = true;
                self.wanted_longer |= self.left(now).is_some_and(|left| left < at_least);
            }
            Event::Refused { generation } => {
                let current = self.generation() == Some(generation);
                if current && self.permits.take(now, self.policy.forced) {
                    self.life = None;
                    self.force = true;
                }
            }
            Event::Stale { generation } => {
                let current = self.generation() == Some(generation) && !self.is_stale();
                if current && self.permits.take(now, self.policy.forced) {
                    self.life = self.life.map(|life| Life { stale: true, ..life });
                }
            }
            Event::Fetched { flight, started, lifetime, same } => {
                let lifetime = lifetime.min(Policy::LONGEST_LIFE);
                let in_time = self.land(flight);
                let left = lifetime.saturating_sub(now.since(started));
                let held = self.left(now).filter(|_| !self.is_stale());
                let gain = left > held.unwrap_or_default() && !same;
                if gain {
                    self.last_generation += 1;
                    let generation = Generation(self.last_generation);
                    let fresh_for = self.fresh_for(lifetime, held.is_some());
                    let life = Life { generation, started, fresh_for, lifetime, stale: false };
                    self.life = Some(life);
                    self.spacing = Spacing::default();
                    self.losses = 0;
                    self.force = false;
                } else if in_time && left.is_zero() {
                    self.space(now, false, None);
                } else if in_time {
                    self.spacing.no_progress(now);
                }
            }
            Event::Failed { flight, permanent, retry_after } => {
                if self.land(flight) {
                    self.space(now, permanent, retry_after);
                }
            }
            Event::Lost { flight } => {
                if self.land(flight) {
                    self.lose(now);
                }
            }
        }
    }

    /// Says what to do at `now`. Where nobody asked for a value, calling this is asking for one to be kept.
    #[must_use = "an action that is not carried out stalls the machine until its lease is over"]
    pub fn poll(&mut self, now: Moment) -> Action {
        if let Some(flight) = &self.flight {
            let lease = self.policy.lease().saturating_sub(now.since(flight.started));
            if !lease.is_zero() {
                return Action::Wait(lease);
            }
            // Not counted as a loss: it took so long that no spacing is needed.
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
        Action::Fetch { flight, force: self.force, retry: self.spacing.is_clear() }
    }

    /// The time until the next flight may start.
    fn due_in(&self, now: Moment) -> Duration {
        let living = self.left(now).is_some();
        let rest = match self.life {
            Some(life) if !self.wanted_longer && !life.stale => {
                life.fresh_for.saturating_sub(now.since(life.started))
            }
            _ => Duration::ZERO,
        };
        rest.max(self.spacing.left(now, living, self.wanted))
    }

    /// Ends the flight if it is the current one.
    fn land(&mut self, flight: FlightId) -> bool {
        self.flight.take_if(|current| current.id == flight).is_some()
    }

    fn lose(&mut self, now: Moment) {
        self.losses = self.losses.saturating_add(1);
        if self.losses > 1 {
            self.space(now, false, None);
        }
    }

    /// Keeps the next flight away from the failure of this one.
    fn space(&mut self, now: Moment, permanent: bool, retry_after: Option<Duration>) {
        let random = (&self.policy, &mut self.jitter);
        self.spacing.failed(now, random, permanent, retry_after);
    }

    /// How long a value that lives for `lifetime` is fresh on this instance. `ahead` says that its predecessor still
    /// served when it came.
    ///
    /// Instances whose values came at the first need or after a failure may have been brought into step by that: by the start of a fleet, or
    /// the end of an outage. They are scattered over the life that follows, and keep their distance afterwards.
    fn fresh_for(&mut self, lifetime: Duration, ahead: bool) -> Duration {
        let fresh = lifetime.saturating_sub(self.policy.lead_of(lifetime));
        if self.policy.scatter && !(ahead && self.spacing.is_clear()) {
            return fresh / 1000 * (50 + self.jitter.up_to(950));
        }
        fresh.saturating_sub(lifetime / 24 * self.earliness / 1000)
    }

    /// How long after its start the current value stays fresh, and how long it lives.
    pub(super) fn spans(&self) -> Option<(Generation, Duration, Duration)> {
        self.life.map(|life| (life.generation, life.fresh_for, life.lifetime))
    }

    /// Which value is the current one; it may be dead.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        self.life.map(|life| life.generation)
    }

    /// Whether the current value was reported to be [stale](Event::Stale).
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.life.is_some_and(|life| life.stale)
    }

    /// The flight that is under way.
    #[must_use]
    pub fn flight(&self) -> Option<FlightId> {
        self.flight.map(|flight| flight.id)
    }

    /// The life that the current value has left; `None` without a living one.
    #[must_use]
    pub fn left(&self, now: Moment) -> Option<Duration> {
        let life = self.life?;
        let left = life.lifetime.saturating_sub(now.since(life.started));
        (!left.is_zero()).then_some(left)
    }

    /// How old the current value is at `now`.
    #[must_use]
    pub fn phase(&self, now: Moment) -> Phase {
        let Some(life) = self.life else { return Phase::Empty };
        let age = now.since(life.started);
        if age >= life.lifetime {
            Phase::Dead
        } else if life.stale
            || age >= life.lifetime.saturating_sub(self.policy.guard_of(life.lifetime))
        {
            Phase::Edge
        } else if age >= life.fresh_for {
            Phase::Window
        } else {
            Phase::Fresh
        }
    }
}
