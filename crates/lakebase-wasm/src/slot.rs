//! One value that expires, shared by requests that must not wait on each other's futures.
//!
//! In workers every request has its own I/O context. A future, a waker or a promise of one request is invalid in
//! another, and all futures of a request may stop for ever when its client leaves. So a [`Slot`] holds data
//! only: the value, the machine that decides, and how long the fetch under way may take. It wakes no one: waiters
//! poll, and one of them takes over when that time is over.

use std::time::Duration;

use lakebase_core::refresh::{Action, Event, FlightId, Machine, Moment, Phase, Policy, Status};
use lakebase_core::{Error, ErrorKind, Timestamp};

/// The next step of one caller.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// Use this value.
    Take(T),
    /// Fetch, and report the end of `flight` through [`Slot::complete`]. Until then a caller that does not wait may use
    /// `living`.
    Lead { flight: FlightId, force: bool, retry: bool, living: Option<T> },
    /// Another caller fetches: poll again soon.
    Wait,
    /// There is no value, for this reason.
    Fail(Error),
}

/// A value, and when to fetch the next.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    machine: Machine,
    value: Option<T>,
    /// When the first flight since the last success failed, and why the last one did.
    failure: Option<(Timestamp, Error)>,
    /// Start of the current flight.
    flight_started: Option<Moment>,
    limit: Duration,
}

impl<T: Clone> Slot<T> {
    /// An empty slot. `seed` decides how early within its window this one refreshes. A flight that reports
    /// nothing for `limit`, which is shorter than the machine's own limit, is given up.
    ///
    /// The first refresh has no random delay: workers fetch when requests arrive, not together.
    pub(crate) fn new(seed: u64, limit: Duration) -> Self {
        let policy = Policy::default().scatter(false);
        let machine = Machine::new(policy, seed);
        Self { machine, value: None, failure: None, flight_started: None, limit }
    }

    /// Decides for one caller.
    pub(crate) fn step(&mut self, now: Moment) -> Step<T> {
        if let (Some(flight), Some(started)) = (self.machine.flight(), self.flight_started)
            && now.since(started) >= self.limit
        {
            self.machine.handle(now, Event::Lost { flight });
        }
        self.machine.handle(now, Event::Wanted { at_least: Duration::ZERO });
        let action = self.machine.poll(now);
        let calm = matches!(self.machine.phase(now), Phase::Fresh | Phase::Advisory);
        let living = self.living(now);
        match (action, living) {
            (Action::Fetch { flight, force, retry }, living) => {
                self.flight_started = Some(now);
                Step::Lead { flight, force, retry, living: living.filter(|_| calm) }
            }
            (Action::Wait(_), Some(value)) if calm || self.machine.flight().is_none() => {
                Step::Take(value)
            }
            (Action::Wait(_), _) if self.machine.flight().is_some() => Step::Wait,
            (Action::Wait(_), _) => Step::Fail(match &self.failure {
                Some((_, error)) => error.clone(),
                None => Error::new(ErrorKind::Unavailable, "the last attempt was abandoned"),
            }),
        }
    }

    /// Takes the outcome of `flight`, whose attempt started at `started`; values come with their lifetime.
    pub(crate) fn complete(
        &mut self,
        now: Moment,
        flight: FlightId,
        started: Moment,
        result: Result<(T, Duration), Error>,
        same: impl Fn(&T, &T) -> bool,
    ) {
        let current = self.machine.flight() == Some(flight);
        match result {
            Ok((value, lifetime)) if lifetime > now.since(started) => {
                let same = self.value.as_ref().is_some_and(|old| same(old, &value));
                let before = self.machine.generation();
                self.machine.handle(now, Event::Fetched { flight, started, lifetime, same });
                if self.machine.generation() != before {
                    self.value = Some(value);
                    self.failure = None;
                } else if current {
                    self.failure = None;
                }
            }
            Ok(_) => {
                let text = "the credential had expired when it arrived";
                self.fail(now, flight, Error::new(ErrorKind::Protocol, text));
            }
            Err(error) => self.fail(now, flight, error),
        }
    }

    fn fail(&mut self, now: Moment, flight: FlightId, error: Error) {
        let current = self.machine.flight() == Some(flight);
        self.machine.handle(now, Event::failed(flight, &error));
        if current {
            let since = self.failure.as_ref().map_or(now.wall, |(since, _)| *since);
            self.failure = Some((since, error));
        }
    }

    /// Records that `flight` will never report.
    pub(crate) fn abandon(&mut self, now: Moment, flight: FlightId) {
        self.machine.handle(now, Event::Lost { flight });
    }

    /// Drops the value if `refused` says that it is the one, and not more often than the policy allows.
    pub(crate) fn refuse(&mut self, now: Moment, refused: impl Fn(&T) -> bool) {
        let Some(generation) = self.machine.generation() else { return };
        if self.value.as_ref().is_some_and(refused) {
            self.machine.handle(now, Event::Refused { generation });
            if self.machine.generation().is_none() {
                self.value = None;
            }
        }
    }

    /// The present state.
    pub(crate) fn status(&self, now: Moment) -> Status {
        self.machine.status(now, self.failure.as_ref())
    }

    /// The value, unless it has expired.
    fn living(&self, now: Moment) -> Option<T> {
        self.machine.left(now).and_then(|_| self.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use lakebase_core::Timestamp;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: u64) -> Moment {
        let monotonic = Duration::from_secs(seconds);
        let millis = i64::try_from(seconds).unwrap() * 1000;
        Moment { monotonic, wall: Timestamp::from_unix_millis(1_700_000_000_000 + millis) }
    }

    fn slot() -> Slot<&'static str> {
        Slot::new(7, Duration::from_secs(11))
    }

    fn leader(step: Step<&'static str>) -> FlightId {
        match step {
            Step::Lead { flight, .. } => flight,
            other => panic!("not the leader: {other:?}"),
        }
    }

    fn complete(
        slot: &mut Slot<&'static str>,
        seconds: u64,
        flight: FlightId,
        value: &'static str,
    ) {
        slot.complete(at(seconds), flight, at(seconds), Ok((value, HOUR)), |old, new| old == new);
    }

    #[test]
    fn one_leads_and_the_others_wait_for_its_value() {
        let mut slot = slot();
        assert!(matches!(slot.status(at(0)), Status::Empty));
        let flight = leader(slot.step(at(0)));
        assert!(matches!(slot.step(at(1)), Step::Wait));
        complete(&mut slot, 2, flight, "a");
        assert!(matches!(slot.status(at(2)), Status::Fresh { .. }));
        assert!(matches!(slot.step(at(2)), Step::Take("a")));
        assert!(matches!(slot.step(at(2900)), Step::Take("a")));
    }

    #[test]
    fn a_silent_leader_is_replaced_after_its_limit_and_its_late_value_is_welcome() {
        let mut slot = slot();
        let silent = leader(slot.step(at(0)));
        assert!(matches!(slot.step(at(10)), Step::Wait));
        let next = leader(slot.step(at(11)));
        assert_ne!(silent, next);
        complete(&mut slot, 12, silent, "late");
        assert!(matches!(slot.step(at(13)), Step::Take("late")));
    }

    #[test]
    fn in_the_window_one_refreshes_and_a_failure_keeps_the_living_value() {
        let mut slot = slot();
        let flight = leader(slot.step(at(0)));
        complete(&mut slot, 0, flight, "a");
        let Step::Lead { flight, living, .. } = slot.step(at(3100)) else { panic!("no refresh") };
        assert_eq!(living, Some("a"));
        assert!(matches!(slot.step(at(3101)), Step::Take("a")));
        let error = Error::new(ErrorKind::Unavailable, "down");
        slot.complete(at(3102), flight, at(3100), Err(error), |_, _| false);
        assert!(matches!(slot.step(at(3102)), Step::Take("a")));
        let Status::Degraded { since, last_error, good_until } = slot.status(at(3102)) else {
            panic!("not degraded")
        };
        assert_eq!((since, good_until), (at(3102).wall, at(3600).wall));
        assert_eq!(last_error.kind(), ErrorKind::Unavailable);
        assert!(matches!(slot.status(at(3600)), Status::Dead { .. }));
        assert!(!matches!(slot.step(at(3600)), Step::Take(_)), "a dead value was handed out");
    }

    #[test]
    fn a_failure_is_repeated_until_the_next_attempt_is_due() {
        let mut slot = slot();
        let flight = leader(slot.step(at(0)));
        let error = Error::new(ErrorKind::PermissionDenied, "no");
        slot.complete(at(0), flight, at(0), Err(error), |_, _| false);
        let Step::Fail(error) = slot.step(at(0)) else { panic!("no error") };
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        leader(slot.step(at(61)));
    }

    #[test]
    fn only_the_current_value_can_be_refused_and_the_dead_on_arrival_are_errors() {
        let mut slot = slot();
        let flight = leader(slot.step(at(0)));
        complete(&mut slot, 0, flight, "a");
        slot.refuse(at(1), |value| *value == "b");
        assert!(matches!(slot.step(at(1)), Step::Take("a")));
        slot.refuse(at(1), |value| *value == "a");
        let flight = leader(slot.step(at(1)));
        slot.complete(at(2), flight, at(1), Ok(("old", Duration::ZERO)), |_, _| false);
        assert!(
            matches!(slot.step(at(2)), Step::Fail(error) if error.kind() == ErrorKind::Protocol)
        );
        let flight = leader(slot.step(at(10)));
        slot.abandon(at(10), flight);
        leader(slot.step(at(10)));
    }
}
