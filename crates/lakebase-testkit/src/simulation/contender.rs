//! Three ways of keeping a token fresh.

use std::time::Duration;

use lakebase_core::refresh::{Action, Event, Machine, Policy};

use super::world::{Instance, LIFE, Service};
use crate::EPOCH;

/// The longest that the background task sleeps.
const SLICE: Duration = Duration::from_secs(30);

/// A way of keeping a token fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// [`Machine`], on use and with the background task.
    Machine,
    /// A task that mints, sleeps 50 minutes and goes on; if minting fails, it prints that and sleeps, too.
    LoopAtFifty,
    /// At each login, mint if the token's expiry is nearer than two minutes by the local wall clock; if
    /// that fails, the login fails.
    LazyTwoMinutes,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Machine, Self::LoopAtFifty, Self::LazyTwoMinutes];

    /// A name for a table's head.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Machine => "lakebase",
            Self::LoopAtFifty => "loop, sleep on failure",
            Self::LazyTwoMinutes => "lazy, 2 min buffer",
        }
    }
}

/// How a login went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    Accepted,
    NoToken,
    DeadToken,
}

#[derive(Debug)]
pub(super) struct Contender {
    strategy: Strategy,
    machine: Machine,
    /// When the token dies, by true time.
    expiry: Option<Duration>,
    /// When something is to be done, by the monotonic clock.
    due: Duration,
    disturbed: bool,
}

impl Contender {
    pub(super) fn new(strategy: Strategy, seed: u64) -> Self {
        let machine = Machine::new(Policy::default(), seed);
        Self { strategy, machine, expiry: None, due: Duration::ZERO, disturbed: true }
    }

    /// When it wants to do something, by true time.
    pub(super) fn next_wake(&self, instance: &Instance) -> Duration {
        match self.strategy {
            Strategy::LazyTwoMinutes => Duration::MAX,
            _ => instance.real_at(self.due),
        }
    }

    /// Whether the instance was started, woken or its clock set since the last token came.
    pub(super) fn is_disturbed(&self) -> bool {
        self.disturbed
    }

    /// Whether the token lives by true time.
    pub(super) fn token_lives(&self, instance: &Instance) -> bool {
        self.expiry.is_some_and(|expiry| instance.real < expiry)
    }

    /// Takes note of a disturbance. The background task notices it in its next slice; a plain loop does not.
    pub(super) fn disturbed(&mut self, instance: &Instance) {
        self.disturbed = true;
        if self.strategy == Strategy::Machine {
            self.due = self.due.min(instance.monotonic() + SLICE);
        }
    }

    fn mint(&mut self, instance: &Instance, service: &Service) -> bool {
        let minted = service.mint(instance.real);
        if minted.is_some() {
            (self.expiry, self.disturbed) = (minted, false);
        }
        minted.is_some()
    }

    /// Does what is due; says how often it called the service.
    pub(super) fn wake(&mut self, instance: &Instance, service: &Service) -> u64 {
        match self.strategy {
            Strategy::Machine => self.advance(instance, service),
            Strategy::LoopAtFifty => {
                self.mint(instance, service);
                self.due = instance.monotonic() + Duration::from_secs(50 * 60);
                1
            }
            Strategy::LazyTwoMinutes => 0,
        }
    }

    /// Logs in; says how often it called the service.
    pub(super) fn login(&mut self, instance: &Instance, service: &Service) -> (Login, u64) {
        let mut calls = 0;
        match self.strategy {
            Strategy::Machine => {
                let now = instance.moment();
                self.machine.handle(now, Event::Wanted { at_least: Duration::ZERO });
                calls = self.advance(instance, service);
                if self.machine.left(now).is_none() {
                    return (Login::NoToken, calls);
                }
            }
            Strategy::LoopAtFifty => {}
            Strategy::LazyTwoMinutes => {
                let soon = instance.wall().saturating_add(Duration::from_secs(120));
                let good = self.expiry.is_some_and(|expiry| EPOCH.saturating_add(expiry) > soon);
                if !good {
                    calls = 1;
                    if !self.mint(instance, service) {
                        return (Login::NoToken, calls);
                    }
                }
            }
        }
        let login = match self.expiry {
            None => Login::NoToken,
            Some(_) if self.token_lives(instance) => Login::Accepted,
            Some(_) => Login::DeadToken,
        };
        (login, calls)
    }

    /// Carries out what the machine says, as a cache does.
    fn advance(&mut self, instance: &Instance, service: &Service) -> u64 {
        let now = instance.moment();
        let mut calls = 0;
        loop {
            match self.machine.poll(now) {
                Action::Wait(wait) => {
                    self.due = instance.monotonic() + wait.max(Duration::from_millis(1));
                    return calls;
                }
                Action::Fetch { flight, .. } => {
                    calls += 1;
                    let event = if self.mint(instance, service) {
                        Event::Fetched { flight, started: now, lifetime: LIFE, same: false }
                    } else {
                        Event::Failed { flight, permanent: false, retry_after: None }
                    };
                    self.machine.handle(now, event);
                }
            }
        }
    }
}
