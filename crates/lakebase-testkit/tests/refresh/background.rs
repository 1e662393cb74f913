//! The optional background task, and waiting for changes.

use futures::FutureExt;
use lakebase_testkit::Reply;

use crate::world::{HOUR, World, down, millis, secs, text};

#[test]
fn keep_fresh_mints_without_callers_and_ends_with_the_last_clone() {
    let world = World::new(vec![Reply::token(HOUR).after(millis(100))]);
    let _tasks = (world.cache.keep_fresh(), world.cache.keep_fresh());
    world.pass(secs(1));
    assert_eq!(world.spawn.tasks(), 1, "one task, however often it is asked for");
    for _ in 0..24 * 60 {
        world.pass(secs(60));
        assert!(world.cache.peek().is_some());
    }
    let mints = world.origin.calls();
    assert!((24..=32).contains(&mints), "{mints} mints in a day");
    let World { cache, spawn, time, .. } = world;
    let clone = cache.clone();
    drop(cache);
    spawn.settle();
    assert_eq!(spawn.tasks(), 1);
    drop(clone);
    spawn.settle();
    assert_eq!((spawn.tasks(), time.sleepers()), (0, 0));
}

#[test]
fn keep_fresh_ends_with_the_last_one_who_wants_it() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let (one, other) = (world.cache.keep_fresh(), world.cache.keep_fresh());
    world.pass(secs(1));
    drop(one);
    world.spawn.settle();
    assert_eq!(world.spawn.tasks(), 1);
    drop(other);
    world.spawn.settle();
    assert_eq!((world.spawn.tasks(), world.time.sleepers()), (0, 0));
    assert!(world.cache.peek().is_some(), "the value stays");
    let _again = world.cache.keep_fresh();
    world.pass(HOUR);
    assert_eq!((world.spawn.tasks(), world.origin.calls()), (1, 2));
}

#[test]
fn an_idle_background_task_wakes_at_most_twice_a_minute() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let _task = world.cache.keep_fresh();
    world.pass(secs(5));
    let polls = world.spawn.pass(secs(40 * 60));
    assert!(polls <= 80, "{polls} wake-ups in 40 minutes");
}

#[test]
fn without_keep_fresh_nothing_wakes_up() {
    let world = World::new(vec![Reply::token(HOUR)]);
    world.get().unwrap();
    assert_eq!(world.spawn.pass(5 * HOUR), 0);
    assert_eq!((world.spawn.tasks(), world.time.sleepers()), (0, 0));
}

#[test]
fn the_background_notices_a_suspend_within_a_slice() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let _task = world.cache.keep_fresh();
    world.pass(secs(60));
    world.time.suspend(5 * HOUR);
    assert!(world.cache.peek().is_none());
    world.pass(secs(30));
    assert_eq!(text(&world.cache.peek().unwrap()), "token 2");
}

#[test]
fn the_background_outlasts_an_outage_at_a_low_rate() {
    let world = World::new(vec![Reply::token(HOUR), down()]);
    let _task = world.cache.keep_fresh();
    world.pass(secs(70 * 60));
    assert!(world.cache.peek().is_none());
    assert!(world.origin.calls() <= 1 + 15 + 15, "{} calls", world.origin.calls());
    world.origin.follow(vec![Reply::token(HOUR)]);
    world.pass(secs(60));
    assert!(world.cache.peek().is_some(), "nobody had to ask");
}

#[test]
fn the_background_replaces_a_refused_token() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let _task = world.cache.keep_fresh();
    world.pass(secs(1));
    world.cache.invalidate(world.cache.peek().unwrap().generation());
    world.pass(secs(1));
    assert_eq!(text(&world.cache.peek().unwrap()), "token 2");
    assert_eq!(world.origin.forced(), 1);
}

#[test]
fn a_background_task_that_lost_its_runtime_is_started_by_the_next_slow_caller() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let _task = world.cache.keep_fresh();
    world.pass(secs(1));
    world.spawn.shut_down();
    world.spawn.start();
    world.pass(secs(55 * 60));
    assert_eq!(text(&world.cache.peek().unwrap()), "token 1");
    world.get().unwrap();
    world.pass(5 * HOUR);
    assert!(world.cache.peek().is_some());
    assert_eq!(world.spawn.tasks(), 1);
}

#[test]
fn changed_completes_at_each_new_value() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let _task = world.cache.keep_fresh();
    let first = world.spawn.run(world.cache.changed(None));
    assert_eq!(text(&first), "token 1");
    let mut next = Box::pin(world.cache.changed(Some(first.generation())));
    assert!(next.as_mut().now_or_never().is_none());
    world.pass(HOUR);
    assert_eq!(text(&next.now_or_never().unwrap()), "token 2");
}

#[test]
fn a_task_that_is_about_to_end_serves_the_next_handle() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let first = world.cache.keep_fresh();
    world.spawn.settle();
    drop(first);
    let _second = world.cache.keep_fresh();
    world.pass(2 * HOUR);
    assert!(world.cache.peek().is_some(), "nobody had to ask");
    assert_eq!(world.spawn.tasks(), 1);
}
