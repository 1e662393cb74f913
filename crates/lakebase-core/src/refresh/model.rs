//! Compares the machine with a model of its rules, in random histories.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Timestamp;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What happens to the machine.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Suspend(u64),
    SetWall(i64),
    Want { at_least: u64 },
    Bring { life: u64, same: bool, older: bool },
    Fail { permanent: bool, retry_after: Option<u64>, older: bool },
    Lose,
    Refuse { older: bool },
    Stale { older: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop_oneof![0..2_000u64, 0..60_000u64, 0..3_600_000u64].prop_map(Step::Pass),
        1 => (0..20_000_000u64).prop_map(Step::Suspend),
        1 => (-7_200_000..7_200_000i64).prop_map(Step::SetWall),
        4 => prop_oneof![Just(0), 0..60u64].prop_map(|at_least| Step::Want { at_least }),
        4 => (prop_oneof![Just(3600u64), 0..90u64, 0..90_000u64], any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(life, same, older)| Step::Bring { life, same: same && life % 4 == 0, older }),
        3 => (any::<bool>(), prop::option::weighted(0.2, 0..900u64), prop::bool::weighted(0.1))
            .prop_map(|(permanent, retry_after, older)| Step::Fail { permanent, retry_after, older }),
        1 => Just(Step::Lose),
        2 => prop::bool::weighted(0.3).prop_map(|older| Step::Refuse { older }),
        2 => prop::bool::weighted(0.3).prop_map(|older| Step::Stale { older }),
    ];
    prop::collection::vec(step, 1..40)
}

/// The rules, without the way in which the machine keeps them.
#[derive(Default)]
struct Model {
    /// Generation, start and life of the current value.
    held: Option<(Generation, Moment, Duration)>,
    flight: Option<(FlightId, Moment)>,
    older: FlightId,
    failures: u32,
    losses: u32,
    /// When the last fetch ended without a gain, the least pause after it with a valid value and without,
    /// and the longest.
    quiet: Option<(Moment, Duration, Duration, Duration)>,
    longer: bool,
    force: bool,
    stale: bool,
    /// All time that went by on either clock, so that no step back makes it less.
    elapsed: Duration,
    forced: Vec<(Duration, Moment)>,
}

impl Model {
    fn age(now: Moment, then: Moment) -> Duration {
        let wall = now.wall.as_unix_millis() - then.wall.as_unix_millis();
        let wall = Duration::from_millis(u64::try_from(wall).unwrap_or(0));
        wall.max(now.monotonic.saturating_sub(then.monotonic))
    }

    fn left(&self, now: Moment) -> Duration {
        self.held
            .map_or(Duration::ZERO, |(_, start, life)| life.saturating_sub(Self::age(now, start)))
    }

    fn fail(&mut self, now: Moment, floor: Duration, permanent: bool) {
        self.failures += 1;
        let (calm, urgent) = if permanent { (5000, 5000) } else { (1, 250) };
        let least = |millis| floor.max(Duration::from_millis(millis));
        self.quiet = Some((now, least(calm), least(urgent), secs(60).max(floor)));
    }
}

impl Model {
    /// A value was given up before its time.
    fn permit(&mut self, now: Moment) -> Result<(), TestCaseError> {
        let recent = self.forced.iter().filter(|it| self.elapsed - it.0 < secs(30));
        prop_assert!(recent.count() < 2, "forced more than twice in 30 s");
        self.forced.push((self.elapsed, now));
        Ok(())
    }

    /// Whether that may have been refused, because one was given up not long ago.
    fn was_permitted(&self, now: Moment) -> bool {
        self.forced.iter().any(|it| Self::age(now, it.1) < secs(60))
    }
}

/// Plays `history` on a machine and on the model, and compares them after every step.
fn play(seed: u64, history: Vec<Step>) -> Result<(), TestCaseError> {
    let mut machine = Machine::new(Policy::default(), seed);
    let mut model = Model::default();
    let mut now =
        Moment { monotonic: secs(100_000), wall: Timestamp::from_unix_millis(1_769_817_600_000) };
    for step in history {
        let mut wanted = false;
        let before_step = now;
        match step {
            Step::Pass(millis) => {
                now.monotonic += Duration::from_millis(millis);
                now.wall = now.wall.saturating_add(Duration::from_millis(millis));
            }
            Step::Suspend(millis) => {
                now.wall = now.wall.saturating_add(Duration::from_millis(millis))
            }
            Step::SetWall(millis) => {
                now.wall = Timestamp::from_unix_millis(now.wall.as_unix_millis() + millis);
            }
            Step::Want { at_least } => {
                machine.handle(now, Event::Wanted { at_least: secs(at_least) });
                wanted = true;
                let left = model.left(now);
                model.longer |= !left.is_zero() && left < secs(at_least);
            }
            Step::Bring { life, same, older } => {
                let id = if older {
                    model.older
                } else {
                    model.flight.map(|it| it.0).unwrap_or_default()
                };
                let current = model.flight.take_if(|it| it.0 == id).is_some();
                let before = machine.generation();
                machine.handle(
                    now,
                    Event::Fetched { flight: id, started: now, lifetime: secs(life), same },
                );
                let life = secs(life).min(secs(86_400));
                let beaten = if model.stale { Duration::ZERO } else { model.left(now) };
                if !same && life > beaten {
                    let generation = machine.generation().expect("a better value is taken");
                    prop_assert!(before.is_none_or(|before| generation > before));
                    model.held = Some((generation, now, life));
                    (model.force, model.stale) = (false, false);
                    (model.failures, model.losses, model.quiet) = (0, 0, None);
                } else {
                    prop_assert_eq!(machine.generation(), before, "a worse value is not taken");
                    if current && life.is_zero() {
                        model.fail(now, Duration::ZERO, false);
                    } else if current {
                        model.failures = 0;
                        model.quiet = Some((now, secs(30), Duration::ZERO, secs(30)));
                    }
                }
            }
            Step::Fail { permanent, retry_after, older } => {
                let id = if older {
                    model.older
                } else {
                    model.flight.map(|it| it.0).unwrap_or_default()
                };
                let retry_after = retry_after.map(secs);
                machine.handle(now, Event::Failed { flight: id, permanent, retry_after });
                if model.flight.take_if(|it| it.0 == id).is_some() {
                    model.fail(now, retry_after.unwrap_or_default().min(secs(600)), permanent);
                }
            }
            Step::Lose => {
                if let Some((flight, _)) = model.flight.take() {
                    machine.handle(now, Event::Lost { flight });
                    model.losses += 1;
                    if model.losses > 1 {
                        model.fail(now, Duration::ZERO, false);
                    }
                }
            }
            Step::Refuse { older } => {
                if let Some((generation, ..)) = model.held {
                    let named = Generation(generation.0 - u64::from(older));
                    machine.handle(now, Event::Refused { generation: named });
                    if machine.generation().is_none() {
                        prop_assert!(!older, "a report of an older value changes nothing");
                        model.held = None;
                        model.permit(now)?;
                        (model.force, model.stale) = (true, false);
                    } else if !older {
                        prop_assert!(model.was_permitted(now), "the first refusal always counts");
                    }
                }
            }
            Step::Stale { older } => {
                if let Some((generation, ..)) = model.held {
                    let named = Generation(generation.0 - u64::from(older));
                    machine.handle(now, Event::Stale { generation: named });
                    if machine.is_stale() && !model.stale {
                        prop_assert!(!older, "a report of an older value changes nothing");
                        model.permit(now)?;
                        model.stale = true;
                    } else if !older && !model.stale {
                        prop_assert!(model.was_permitted(now), "the first report always counts");
                    }
                }
            }
        }
        model.elapsed += Model::age(now, before_step);
        let left = model.left(now);
        prop_assert_eq!(machine.left(now).unwrap_or_default(), left);
        prop_assert_eq!(machine.is_stale(), model.stale);
        let calm = matches!(machine.phase(now), Phase::Fresh | Phase::Advisory);
        prop_assert!(!(model.stale && calm), "a stale value is waited for");
        let fresh_until = |(_, _, life): (Generation, Moment, Duration)| {
            let lead = (life / 6).max(secs(60).min(life / 2)).min(secs(1200));
            // A twentieth of that where it did not come ahead of need.
            (((life - lead) / 1000 * 50).min(life - lead - life / 24), life - lead)
        };
        let age = model.held.map(|it| Model::age(now, it.1));
        let lost = model.flight.take_if(|it| Model::age(now, it.1) >= secs(31));
        match machine.poll(now) {
            Action::Fetch { flight, force, retry } => {
                prop_assert!(model.flight.is_none(), "two flights");
                prop_assert_eq!(retry, model.failures == 0);
                prop_assert_eq!(force, model.force, "forced until something better came");
                if let (Some(held), Some(age)) = (model.held, age) {
                    prop_assert!(
                        model.longer || model.stale || age >= fresh_until(held).0,
                        "a fresh value is left alone"
                    );
                }
                if let Some((then, calm, urgent, _)) = model.quiet {
                    let least = if left.is_zero() { urgent } else { calm };
                    prop_assert!(Model::age(now, then) >= least, "attempts keep their distance");
                }
                model.older = lost.or(model.flight).map_or(model.older, |it| it.0);
                model.flight = Some((flight, now));
                model.longer = false;
                prop_assert!(matches!(machine.poll(now), Action::Wait(_)), "one order, one flight");
            }
            Action::Wait(wait) => {
                prop_assert!(!wait.is_zero());
                if model.flight.is_none() {
                    let fresh =
                        model.held.zip(age).is_some_and(|(held, age)| age < fresh_until(held).1);
                    let quiet =
                        model.quiet.is_some_and(|(then, .., most)| Model::age(now, then) < most);
                    prop_assert!((fresh && !model.stale) || quiet, "there is no reason to wait");
                    let urgent =
                        wanted && left.is_zero() && model.quiet.is_some_and(|it| it.3 <= secs(60));
                    let refused = model.quiet.is_some_and(|it| it.2 >= secs(5));
                    prop_assert!(
                        !urgent || refused || wait <= secs(5),
                        "callers without a value wait too long"
                    );
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// In every history of clock steps, suspends, replies, losses and refusals: one flight at a time;
    /// a value is valid exactly while the model says so; a better value is taken and a worse one is not;
    /// attempts keep their distance, and there is always a next one; forced ones are limited.
    #[test]
    fn behaves_like_the_model(seed: u64, history in steps()) {
        play(seed, history)?;
    }
}
