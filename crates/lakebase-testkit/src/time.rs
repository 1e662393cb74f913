//! Time that only moves when told to.
//!
//! Three clocks, as in life: the monotonic one, this machine's wall clock, and the true time that a service
//! lives by. Sleeping goes by the monotonic one.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::lock;
use lakebase_core::{BoxFuture, Clock, Timer, Timestamp};

/// Where every fake clock starts: 2026-01-31T00:00:00Z.
pub const EPOCH: Timestamp = Timestamp::from_unix_millis(1_769_817_600_000);

/// Time that only moves when told to. Clones share it.
#[derive(Clone, Debug)]
pub struct FakeTime(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    monotonic: Duration,
    wall: Timestamp,
    real: Timestamp,
    last_key: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl FakeTime {
    /// All clocks at [`EPOCH`].
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            // Not zero: a monotonic clock starts anywhere.
            monotonic: Duration::from_secs(1000),
            wall: EPOCH,
            real: EPOCH,
            last_key: 0,
            sleepers: BTreeMap::new(),
        })))
    }

    /// Lets `by` pass on all clocks and wakes those who slept until then.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.monotonic += by;
        state.wall = state.wall.saturating_add(by);
        state.real = state.real.saturating_add(by);
        let now = state.monotonic;
        let later = state.sleepers.split_off(&(now + Duration::from_nanos(1), 0));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Lets `by` pass while the machine is suspended: the monotonic clock stands still.
    pub fn suspend(&self, by: Duration) {
        let mut state = self.lock();
        state.wall = state.wall.saturating_add(by);
        state.real = state.real.saturating_add(by);
    }

    /// Sets this machine's wall clock to `millis` later, or earlier if negative; no time passes.
    pub fn step_wall(&self, millis: i64) {
        let mut state = self.lock();
        state.wall = Timestamp::from_unix_millis(state.wall.as_unix_millis() + millis);
    }

    /// The true time, which a service would put into its replies.
    #[must_use]
    pub fn real(&self) -> Timestamp {
        self.lock().real
    }

    /// The time until the next sleeper is due.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let state = self.lock();
        let ((deadline, _), _) = state.sleepers.first_key_value()?;
        Some(deadline.saturating_sub(state.monotonic))
    }

    /// How many are asleep.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.lock().sleepers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl Default for FakeTime {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeTime {
    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }

    fn wall(&self) -> Timestamp {
        self.lock().wall
    }
}

impl Timer for FakeTime {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.lock();
        state.last_key += 1;
        let place = (state.monotonic + duration, state.last_key);
        drop(state);
        Box::pin(Sleep { time: self.clone(), place })
    }
}

struct Sleep {
    time: FakeTime,
    place: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.time.lock();
        if state.monotonic >= self.place.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let waker = self.time.lock().sleepers.remove(&self.place);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use lakebase_core::refresh::Moment;

    use super::*;

    #[test]
    fn clocks_move_apart_as_they_do_in_life() {
        let time = FakeTime::new();
        let start = Moment::now(&time);
        let hour = Duration::from_secs(3600);
        time.advance(hour);
        time.suspend(hour);
        time.step_wall(-1000);
        assert_eq!(time.monotonic(), start.monotonic + hour);
        assert_eq!(time.wall().saturating_since(start.wall), 2 * hour - Duration::from_secs(1));
        assert_eq!(time.real().saturating_since(EPOCH), 2 * hour);
    }

    #[test]
    fn sleepers_wake_at_their_deadline_and_leave_nothing_when_dropped() {
        let time = FakeTime::new();
        let second = Duration::from_secs(1);
        let mut short = time.sleep(second);
        let mut long = time.sleep(3 * second);
        assert!(short.as_mut().now_or_never().is_none() && long.as_mut().now_or_never().is_none());
        assert_eq!((time.next(), time.sleepers()), (Some(second), 2));
        time.advance(second);
        assert!(short.as_mut().now_or_never().is_some() && long.as_mut().now_or_never().is_none());
        time.suspend(9 * second);
        assert!(long.as_mut().now_or_never().is_none(), "suspended time is not slept");
        drop(long);
        assert_eq!((time.next(), time.sleepers()), (None, 0));
    }
}
