//! A single-threaded executor that can be shut down and started again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lakebase_core::{BoxFuture, Spawn};

use crate::{FakeTime, lock};

/// Runs tasks on the thread that calls [`run`](Self::run), in the order in which they were woken.
///
/// Nothing is left to chance: the same futures always run in the same order. Clones share the tasks.
#[derive(Clone)]
pub struct FakeSpawn {
    time: FakeTime,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    last_key: u64,
    down: bool,
    tasks: BTreeMap<u64, Task>,
    woken: Arc<Mutex<VecDeque<u64>>>,
}

struct Task {
    task_waker: Arc<TaskWaker>,
    /// `None` while it is polled.
    future: Option<BoxFuture<'static, ()>>,
}

/// Puts its task into the queue, once until it is polled.
struct TaskWaker {
    key: u64,
    queued: AtomicBool,
    woken: Arc<Mutex<VecDeque<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            lock(&self.woken).push_back(self.key);
        }
    }
}

/// Whether the main future is to be polled.
struct Flag(AtomicBool);

impl Flag {
    fn up() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl FakeSpawn {
    /// An executor without tasks, whose tasks sleep by `time`.
    #[must_use]
    pub fn new(time: &FakeTime) -> Self {
        Self { time: time.clone(), shared: Arc::default() }
    }

    /// Runs `main` and all tasks; whenever nothing else can go on, time moves to the next sleeper.
    ///
    /// # Panics
    ///
    /// If everything waits and nobody sleeps: `main` would never end.
    pub fn run<F: Future>(&self, main: F) -> F::Output {
        let mut main = pin!(main);
        let flag = Flag::up();
        let waker = Waker::from(Arc::clone(&flag));
        loop {
            while flag.take() {
                if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return output;
                }
                self.settle();
            }
            if self.settle() == 0 && !flag.0.load(Ordering::Acquire) {
                match self.time.next() {
                    Some(step) => self.time.advance(step),
                    None => panic!("everything waits, and nobody sleeps"),
                }
            }
        }
    }

    /// Runs all tasks until none can go on without time passing; says how often one was polled.
    #[expect(clippy::must_use_candidate, reason = "the count is a by-product")]
    pub fn settle(&self) -> usize {
        let mut polls = 0;
        loop {
            let Some((key, task_waker, mut future)) = self.next_woken() else { return polls };
            polls += 1;
            let waker = Waker::from(task_waker);
            let ended = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            let mut shared = self.lock();
            let gone = if ended {
                shared.tasks.remove(&key)
            } else if let Some(task) = shared.tasks.get_mut(&key) {
                task.future = Some(future);
                continue;
            } else {
                None
            };
            drop(shared);
            drop(gone);
        }
    }

    fn next_woken(&self) -> Option<(u64, Arc<TaskWaker>, BoxFuture<'static, ()>)> {
        let mut shared = self.lock();
        loop {
            let key = lock(&shared.woken).pop_front()?;
            // A task that ended may still be in the queue.
            if let Some(task) = shared.tasks.get_mut(&key) {
                task.task_waker.queued.store(false, Ordering::Release);
                if let Some(future) = task.future.take() {
                    return Some((key, Arc::clone(&task.task_waker), future));
                }
            }
        }
    }

    /// Lets `duration` pass, stopping at every sleeper on the way; says how often a task was polled.
    #[expect(clippy::must_use_candidate, reason = "the count is a by-product")]
    pub fn pass(&self, duration: Duration) -> usize {
        let mut left = duration;
        let mut polls = self.settle();
        while let Some(step) = self.time.next().filter(|step| *step <= left) {
            self.time.advance(step);
            left -= step;
            polls += self.settle();
        }
        self.time.advance(left);
        polls + self.settle()
    }

    /// Drops all tasks, as a runtime does that ends; until [`start`](Self::start), new ones are dropped too.
    pub fn shut_down(&self) {
        let mut shared = self.lock();
        shared.down = true;
        let tasks = std::mem::take(&mut shared.tasks);
        drop(shared);
        drop(tasks);
    }

    /// Accepts tasks again, as another runtime would.
    pub fn start(&self) {
        self.lock().down = false;
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.lock().tasks.len()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl Spawn for FakeSpawn {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let mut shared = self.lock();
        if shared.down {
            drop(shared);
            drop(task);
            return;
        }
        shared.last_key += 1;
        let key = shared.last_key;
        let (queued, woken) = (AtomicBool::new(false), Arc::clone(&shared.woken));
        let task_waker = Arc::new(TaskWaker { key, queued, woken });
        shared.tasks.insert(key, Task { task_waker: Arc::clone(&task_waker), future: Some(task) });
        drop(shared);
        task_waker.wake();
    }
}

impl fmt::Debug for FakeSpawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeSpawn").field("tasks", &self.tasks()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use lakebase_core::{Clock, Timer};

    use super::*;

    #[test]
    fn time_moves_when_everything_waits() {
        let time = FakeTime::new();
        let spawn = FakeSpawn::new(&time);
        let start = time.monotonic();
        spawn.spawn(time.sleep(Duration::from_secs(5)));
        spawn.run(time.sleep(Duration::from_secs(60)));
        assert_eq!(time.monotonic() - start, Duration::from_secs(60));
        assert_eq!(spawn.tasks(), 0);
    }

    #[test]
    fn a_shut_down_executor_drops_its_tasks() {
        let time = FakeTime::new();
        let spawn = FakeSpawn::new(&time);
        spawn.spawn(time.sleep(Duration::from_secs(5)));
        spawn.settle();
        spawn.shut_down();
        spawn.spawn(time.sleep(Duration::from_secs(5)));
        assert_eq!((spawn.tasks(), time.sleepers()), (0, 0));
        spawn.start();
        spawn.spawn(time.sleep(Duration::from_secs(5)));
        assert_eq!(spawn.tasks(), 1);
    }
}
