//! Plays the scenario file on the test executor and on threads.

use std::sync::Arc;

use lakebase_core::{BoxFuture, Spawn};
use lakebase_testkit::scenario::{Platform, Step, play, refresh_cases};
use lakebase_testkit::{FakeSpawn, FakeTime};

#[test]
fn every_case_holds_on_one_thread() {
    for case in refresh_cases(Platform::Native).expect("the file is well formed") {
        let spawn = FakeSpawn::new(&FakeTime::new());
        if let Err(error) = spawn.run(play(&case, Arc::new(spawn.clone()))) {
            panic!("{error}");
        }
    }
}

/// One thread per task: the opposite of order.
#[derive(Debug)]
struct Threads;

impl Spawn for Threads {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        std::thread::spawn(|| futures::executor::block_on(task));
    }
}

#[test]
fn every_small_case_holds_on_many_threads() {
    let cases = refresh_cases(Platform::Native).expect("the file is well formed");
    // A thread per caller: not the cases with thousands of them.
    let few = |step: &Step| match step {
        Step::Callers { count, .. } => *count <= 50,
        Step::EachSecond { for_s, .. } => *for_s <= 60,
        _ => true,
    };
    let small = cases.iter().filter(|case| case.steps.iter().all(few));
    let mut played = 0;
    for case in small {
        if let Err(error) = futures::executor::block_on(play(case, Arc::new(Threads))) {
            panic!("{error}");
        }
        played += 1;
    }
    assert!(played >= 10, "only {played} cases");
}
