//! What no history may lead to: callers, clocks, services and runtimes at random.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{AbortHandle, abortable};
use lakebase_core::{Clock, ErrorKind, Spawn};
use lakebase_testkit::Reply;
use proptest::prelude::*;

use crate::world::{HOUR, World, down, forbidden, millis, secs, unreachable};

#[derive(Clone, Debug)]
enum Step {
    Call,
    Drop(prop::sample::Index),
    Pass(Duration),
    /// A suspend, or a step of the wall clock: a history has only one of the two kinds, because no clock
    /// can see a suspend that a step back hides.
    Disturb(i64),
    Serve(u8, Duration),
    Refuse,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Call),
        2 => any::<prop::sample::Index>().prop_map(Step::Drop),
        6 => prop_oneof![0..3_000u64, 0..60_000u64, 0..3_600_000u64]
            .prop_map(|it| Step::Pass(millis(it))),
        1 => (-7_200_000..7_200_000i64).prop_map(Step::Disturb),
        4 => (0..9u8, prop_oneof![Just(0), 0..2_000u64, 0..40_000u64])
            .prop_map(|(reply, delay)| Step::Serve(reply, millis(delay))),
        1 => Just(Step::Refuse),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..30)
}

fn reply(number: u8) -> Reply {
    match number {
        0..=2 => Reply::token(HOUR),
        3 => Reply::token(secs(60)),
        4 => Reply::token(secs(3)),
        5 => down(),
        6 => unreachable(),
        7 => forbidden(),
        _ => Reply::silence(),
    }
}

/// Complaints of callers.
type Complaints = Arc<Mutex<Vec<String>>>;

/// Starts a caller that checks what it gets.
fn call(world: &World, complaints: &Complaints) -> AbortHandle {
    let (cache, time) = (world.cache.clone(), world.time.clone());
    let (complaints, asked) = (Arc::clone(complaints), time.monotonic());
    let (caller, handle) = abortable(async move {
        let result = cache.get().await;
        let complain = |text: String| complaints.lock().unwrap().push(text);
        match result {
            Ok(held) if time.real() >= held.expires_at => complain(format!("{held:?} is dead")),
            Err(error) if error.kind() == ErrorKind::Unsupported => complain(error.report()),
            _ => {}
        }
        let waited = time.monotonic() - asked;
        if waited > secs(31) {
            complain(format!("waited for {waited:?}"));
        }
    });
    world.spawn.spawn(Box::pin(async move { caller.await.unwrap_or(()) }));
    handle
}

fn play(spawner: bool, suspends: bool, history: Vec<Step>) -> Result<(), TestCaseError> {
    let first = vec![Reply::token(HOUR).after(millis(100))];
    let world = if spawner { World::new(first) } else { World::without_spawner(first) };
    let complaints = Complaints::default();
    let mut callers: Vec<AbortHandle> = Vec::new();
    for step in history {
        match step {
            Step::Call => callers.push(call(&world, &complaints)),
            Step::Drop(which) if !callers.is_empty() => {
                callers.swap_remove(which.index(callers.len())).abort();
            }
            Step::Drop(_) => {}
            Step::Pass(duration) => world.pass(duration),
            Step::Disturb(millis) if suspends => {
                world.time.suspend(Duration::from_millis(millis.unsigned_abs()));
            }
            Step::Disturb(millis) => world.time.step_wall(millis),
            Step::Serve(number, delay) => world.origin.follow(vec![reply(number).after(delay)]),
            Step::Refuse => {
                if let Some(held) = world.cache.peek() {
                    world.cache.invalidate(held.generation());
                }
            }
            Step::Restart => {
                world.spawn.shut_down();
                world.spawn.start();
            }
        }
        world.spawn.settle();
        prop_assert_eq!(complaints.lock().unwrap().clone(), Vec::<String>::new());
        prop_assert!(world.origin.most_at_once() <= 1, "two calls at once");
    }
    // However it went: once the service is well, what is under way has ended and the longest pause is over, all
    // is well.
    world.origin.follow(vec![Reply::token(HOUR)]);
    world.pass(secs(31));
    world.pass(secs(61));
    let before = world.origin.calls();
    prop_assert!(world.get().is_ok(), "the first caller after an outage is served");
    world.pass(Duration::ZERO);
    prop_assert!(world.get_at_once().is_ok(), "a success makes the next one easy");
    prop_assert!(world.origin.calls() <= before + 1, "one call of a healthy service is enough");
    prop_assert_eq!(complaints.lock().unwrap().clone(), Vec::<String>::new());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// No dead token, never two calls at once, nobody waits for longer than a flight, and recovery always.
    #[test]
    fn no_history_leads_to_a_refused_login(spawner: bool, suspends: bool, history in steps()) {
        play(spawner, suspends, history)?;
    }
}

/// The fifth refusal arrives when the service is well already, and the longest pause begins only then.
#[test]
fn a_late_refusal_delays_recovery_by_its_pause() {
    let mut history = vec![Step::Serve(7, millis(1001)), Step::Call];
    for pause in [6001, 11_001, 21_001, 41_001] {
        history.extend([Step::Pass(millis(pause)), Step::Call]);
    }
    play(false, false, history).unwrap();
}
