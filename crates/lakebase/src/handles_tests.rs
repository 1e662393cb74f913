//! What is kept, and when it ends, with time moved by hand.

use std::sync::{Arc, Weak};
use std::time::Duration;

use lakebase_core::{Error, ErrorKind, Runtime, Secret};
use lakebase_testkit::{FakeSpawn, FakeTime, fake_executor};

use super::{Handles, IDLE, MAX};

/// Handles whose values tell whether anybody holds them still.
struct World {
    handles: Arc<Handles<Arc<String>>>,
    runtime: Runtime,
    time: FakeTime,
    spawn: FakeSpawn,
}

impl World {
    fn new() -> Self {
        let (time, spawn, runtime) = fake_executor();
        Self { handles: Arc::default(), runtime, time, spawn }
    }

    fn get(&self, token: &str) -> Arc<String> {
        let make = || Ok(Arc::new(token.to_owned()));
        self.handles.get(&Secret::new(token), &self.runtime, make).unwrap()
    }

    fn weak(&self, token: &str) -> Weak<String> {
        Arc::downgrade(&self.get(token))
    }
}

#[test]
fn the_same_token_has_the_same_handle() {
    let world = World::new();
    let first = world.get("a");
    assert!(Arc::ptr_eq(&first, &world.get("a")));
    assert!(!Arc::ptr_eq(&first, &world.get("b")));
    assert_eq!(*world.get("b"), "b");
}

#[test]
fn what_nobody_uses_ends_by_itself() {
    let world = World::new();
    let (idle, used) = (world.weak("idle"), world.weak("used"));
    world.spawn.settle();
    world.time.advance(IDLE / 2);
    world.get("used");
    world.spawn.pass(IDLE / 2 + Duration::from_secs(1));
    assert!(idle.upgrade().is_none());
    assert!(used.upgrade().is_some());
    world.spawn.pass(IDLE);
    assert!(used.upgrade().is_none());
    world.spawn.settle();
    assert_eq!(world.spawn.tasks(), 0, "nothing is left to sweep");
    let again = world.weak("again");
    world.spawn.pass(2 * IDLE);
    assert!(again.upgrade().is_none(), "and it is swept again later");
}

#[test]
fn without_tasks_the_next_call_ends_what_is_idle() {
    let mut world = World::new();
    world.runtime.spawn = None;
    let idle = world.weak("idle");
    world.time.advance(IDLE);
    assert!(idle.upgrade().is_some());
    world.get("other");
    assert!(idle.upgrade().is_none());
}

#[test]
fn there_are_never_more_than_the_limit() {
    let world = World::new();
    let handles: Vec<Weak<String>> = (0..MAX)
        .map(|number| {
            world.time.advance(Duration::from_millis(1));
            world.weak(&number.to_string())
        })
        .collect();
    world.get("0");
    let newest = world.weak("newest");
    let alive = |handle: &Weak<String>| handle.upgrade().is_some();
    assert!(alive(&newest) && alive(&handles[0]), "used lately");
    assert!(!alive(&handles[1]), "not used for longest");
    assert_eq!(handles.iter().filter(|handle| alive(handle)).count(), MAX - 1);
}

#[test]
fn a_handle_that_cannot_be_made_is_not_kept() {
    let world = World::new();
    let fail = || Err(Error::new(ErrorKind::Config, "no"));
    world.handles.get(&Secret::new("a"), &world.runtime, fail).unwrap_err();
    assert_eq!(*world.get("a"), "a");
}

#[test]
fn no_token_is_printed_and_nothing_outlives_its_owner() {
    let world = World::new();
    let handle = world.weak("hush-hush");
    assert!(!format!("{:?}", Handles::<u8>::default()).contains("hush"));
    world.spawn.settle();
    let World { handles, spawn, .. } = world;
    drop(handles);
    assert!(handle.upgrade().is_none(), "the task that sweeps keeps nothing");
    spawn.pass(IDLE);
    assert_eq!(spawn.tasks(), 0);
}
