//! Plays the scenario file on the test executor and on threads.

use std::sync::Arc;

use lakebase_core::{BoxFuture, Spawn};
use lakebase_testkit::scenario::{play, refresh_cases};
use lakebase_testkit::{FakeSpawn, FakeTime};

#[test]
fn every_case_holds_on_one_thread() {
    for case in refresh_cases().expect("the file is well formed") {
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
    let cases = refresh_cases().expect("the file is well formed");
    let small = cases.iter().filter(|case| case.steps.len() > 4 && case.steps.len() < 9);
    let mut played = 0;
    for case in small {
        if let Err(error) = futures::executor::block_on(play(case, Arc::new(Threads))) {
            panic!("{error}");
        }
        played += 1;
    }
    assert!(played >= 5, "only {played} cases");
}
