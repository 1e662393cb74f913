//! One fetch at a time, whatever callers, tasks and runtimes do.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{Either, join_all, select};
use lakebase_core::refresh::Cache;
use lakebase_core::{ErrorKind, Spawn, Timer};
use lakebase_testkit::{Answer, FakeTime, Reply, ScriptedOrigin, fake_runtime};

use crate::world::{HOUR, World, down, millis, secs, text, unreachable};

/// Both ways of carrying out a flight.
fn worlds(replies: &[Reply]) -> [World; 2] {
    [World::new(replies.to_vec()), World::without_spawner(replies.to_vec())]
}

#[test]
fn ten_thousand_cold_callers_cost_one_mint() {
    for world in worlds(&[Reply::token(HOUR).after(millis(100))]) {
        let callers = join_all((0..10_000).map(|_| world.cache.get()));
        let tokens = world.spawn.run(callers);
        assert!(tokens.iter().all(|token| text(token.as_ref().unwrap()) == "token 1"));
        assert_eq!(world.origin.calls(), 1);
    }
}

#[test]
fn ten_thousand_cold_callers_share_one_failure() {
    for world in worlds(&[down().after(millis(100))]) {
        let callers = join_all((0..10_000).map(|_| world.cache.get()));
        let results = world.spawn.run(callers);
        let first = results[0].as_ref().unwrap_err();
        assert!(results.iter().all(|result| result.as_ref().unwrap_err().is_same(first)));
        assert_eq!(world.origin.calls(), 1);
        let later = world.get_at_once().unwrap_err();
        assert!(later.is_same(first), "until the next fetch is due, the same error at once");
        assert_eq!(world.origin.calls(), 1);
    }
}

#[test]
fn impatient_callers_do_not_restart_the_flight() {
    for world in worlds(&[Reply::token(HOUR).after(millis(100))]) {
        let mut successes = 0;
        for _ in 0..20 {
            let patience = world.time.sleep(millis(50));
            let caller = Box::pin(world.cache.get());
            if let Either::Left((Ok(_), _)) = world.spawn.run(select(caller, patience)) {
                successes += 1;
            }
        }
        assert_eq!(world.origin.calls(), 1);
        assert!(successes >= 17, "{successes} of 20 succeeded");
    }
}

#[test]
fn a_follower_outlives_its_leader() {
    for world in worlds(&[Reply::token(HOUR).after(millis(100))]) {
        let mut leader = Box::pin(world.cache.get());
        let mut follower = Box::pin(world.cache.get());
        assert!(leader.as_mut().now_or_never().is_none());
        assert!(follower.as_mut().now_or_never().is_none());
        world.pass(millis(50));
        drop(leader);
        assert_eq!(text(&world.spawn.run(follower).unwrap()), "token 1");
        assert_eq!(world.origin.calls(), 1);
    }
}

#[test]
fn a_leader_that_is_never_polled_again_holds_nobody_up() {
    let world = World::without_spawner(vec![Reply::token(HOUR).after(millis(100))]);
    let (cache, start) = (world.cache.clone(), world.now());
    let (done, follower) = futures::channel::oneshot::channel();
    world.spawn.spawn(Box::pin(async move {
        let token = text(&cache.get().await.unwrap());
        done.send(token).unwrap();
    }));
    world.spawn.settle();
    let mut leader = Box::pin(world.cache.get());
    assert!(leader.as_mut().now_or_never().is_none(), "it polled the fetch last");
    assert_eq!(world.spawn.run(follower).unwrap(), "token 1");
    assert_eq!(world.now() - start, millis(100));
    drop(leader);
}

#[test]
fn dropping_any_subset_of_waiters_changes_no_mint_count() {
    for drops in 0..64u32 {
        for world in worlds(&[Reply::token(HOUR).after(millis(100))]) {
            let mut callers: Vec<_> = (0..6).map(|_| Some(Box::pin(world.cache.get()))).collect();
            for caller in callers.iter_mut().flatten() {
                assert!(caller.now_or_never().is_none());
            }
            world.pass(millis(30));
            for (place, caller) in callers.iter_mut().enumerate() {
                if drops & (1 << place) != 0 {
                    *caller = None;
                }
            }
            let left = join_all(callers.into_iter().flatten());
            for result in world.spawn.run(left) {
                assert_eq!(text(&result.unwrap()), "token 1");
            }
            assert_eq!(world.get().unwrap(), "token 1");
            assert_eq!(world.origin.calls(), 1, "subset {drops:06b}");
        }
    }
}

#[test]
fn transport_failures_are_retried_twice_within_the_flight_and_answers_are_not() {
    for world in worlds(&[unreachable(), unreachable(), Reply::token(HOUR)]) {
        assert_eq!(world.get().unwrap(), "token 1");
        assert_eq!(world.origin.calls(), 3);
    }
    for world in worlds(&[unreachable()]) {
        assert_eq!(world.get().unwrap_err().to_string(), "connection refused");
        assert_eq!(world.origin.calls(), 3, "one attempt and two retries");
        world.pass(secs(5));
        world.get().unwrap_err();
        assert_eq!(world.origin.calls(), 4, "later flights have their spacing instead");
    }
    for world in worlds(&[down()]) {
        world.get().unwrap_err();
        assert_eq!(world.origin.calls(), 1);
    }
}

#[test]
fn a_silent_service_is_given_up_after_ten_and_thirty_seconds() {
    for world in worlds(&[Reply::silence()]) {
        let start = world.now();
        let error = world.get().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("a scripted token"), "{error}");
        let waited = world.now() - start;
        assert!(waited <= secs(30), "{waited:?}");
        assert_eq!((world.origin.calls(), world.origin.most_at_once()), (3, 1));
    }
}

#[test]
fn a_slow_answer_within_the_limit_counts() {
    for world in worlds(&[Reply::token(HOUR).after(millis(9_900))]) {
        assert_eq!(world.get().unwrap(), "token 1");
        assert_eq!(world.origin.calls(), 1);
    }
}

#[test]
fn a_runtime_that_ends_takes_its_flight_along_and_the_next_one_starts_anew() {
    let world = World::new(vec![Reply::token(HOUR).after(millis(100))]);
    let mut caller = Box::pin(world.cache.get());
    assert!(caller.as_mut().now_or_never().is_none());
    world.pass(millis(50));
    world.spawn.shut_down();
    world.spawn.start();
    assert_eq!(text(&world.spawn.run(caller).unwrap()), "token 1");
    assert_eq!((world.origin.calls(), world.origin.most_at_once()), (2, 1));
    world.spawn.shut_down();
    world.spawn.start();
    assert_eq!(world.get_at_once().unwrap(), "token 1");
}

#[test]
fn without_a_current_runtime_the_callers_do_the_work() {
    let world = World::new(vec![Reply::token(HOUR).after(millis(100))]);
    world.spawn.shut_down();
    assert_eq!(world.get().unwrap(), "token 1");
    assert_eq!(world.origin.calls(), 1);
}

#[test]
fn a_runtime_that_stands_still_wedges_nobody() {
    let world = World::new(vec![Reply::token(HOUR).after(secs(1))]);
    // Nobody runs the task: only this caller is polled.
    let mut caller = Box::pin(world.cache.get());
    assert!(caller.as_mut().now_or_never().is_none());
    world.time.advance(secs(31));
    let error = caller.as_mut().now_or_never().expect("the wait is over").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // The next caller takes over from the lost task.
    assert_eq!(world.get().unwrap(), "token 1");
    assert_eq!(world.origin.most_at_once(), 1);
}

#[test]
fn a_machine_that_was_frozen_within_a_flight_starts_another() {
    for world in worlds(&[Reply::silence(), Reply::token(HOUR).after(millis(100))]) {
        let caller = Box::pin(world.cache.get()).now_or_never();
        assert!(caller.is_none());
        world.spawn.settle();
        world.time.suspend(secs(300));
        let start = world.now();
        assert_eq!(world.get().unwrap(), "token 1");
        assert_eq!(world.now() - start, millis(100));
        assert_eq!(world.origin.most_at_once(), 1);
    }
}

#[test]
fn a_caller_that_was_frozen_after_the_flight_does_not_get_a_dead_token() {
    let world = World::new(vec![Reply::token(HOUR).after(millis(100))]);
    let mut caller = Box::pin(world.cache.get());
    assert!(caller.as_mut().now_or_never().is_none());
    world.pass(millis(100));
    assert!(world.cache.peek().is_some());
    world.time.suspend(5 * HOUR);
    assert_eq!(text(&world.spawn.run(caller).unwrap()), "token 2");
}

#[test]
fn a_panicking_origin_wedges_nobody() {
    let world = World::new(vec![
        Reply { delay: secs(0), answer: Answer::Panic },
        Reply::token(HOUR).after(millis(100)),
    ]);
    let mut caller = Box::pin(world.cache.get());
    assert!(caller.as_mut().now_or_never().is_none());
    let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.spawn.settle()));
    assert!(settled.is_err(), "the panic goes to the task's runner");
    assert_eq!(text(&world.spawn.run(caller).unwrap()), "token 1");

    let world = World::without_spawner(vec![
        Reply { delay: secs(0), answer: Answer::Panic },
        Reply::token(HOUR).after(millis(100)),
    ]);
    let first = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.get()));
    assert!(first.is_err());
    assert_eq!(world.get().unwrap(), "token 1");
}

#[test]
fn a_cache_that_is_dropped_cancels_its_flight() {
    let world = World::new(vec![Reply::silence()]);
    let caller = Box::pin(world.cache.get()).now_or_never();
    assert!(caller.is_none());
    world.spawn.settle();
    assert_eq!(world.spawn.tasks(), 1);
    let World { cache, spawn, time, .. } = world;
    drop(cache);
    spawn.settle();
    assert_eq!((spawn.tasks(), time.sleepers()), (0, 0));
}

#[test]
fn two_runtimes_may_share_what_a_cache_holds() {
    let time = FakeTime::new();
    let origin = ScriptedOrigin::new(&time, vec![Reply::token(HOUR)]);
    let cache = Cache::new(Arc::new(origin.clone()), &fake_runtime(&time, None));
    let other = cache.clone();
    let held = futures::executor::block_on(cache.get()).unwrap();
    assert_eq!(other.peek().unwrap().generation(), held.generation());
    assert_eq!(origin.calls(), 1);
}
