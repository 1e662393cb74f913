//! When a pool checks and replaces connections, whatever its driver: a check is bounded, and quicker where another was found dead.
//!
//! Load balancers and NAT forget idle connections without telling either side (Azure's after four minutes). Whatever is
//! sent then is lost in silence, and a check without a limit lasts until the kernel gives up.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use lakebase_core::{Clock, Jitter, Runtime, Timer};

/// How long a check may take.
pub const LIMIT: Duration = Duration::from_secs(2);
/// The default idle time after which pools check a connection before they hand it out.
pub const CHECK_AFTER_IDLE: Duration = Duration::from_secs(15);
/// The default idle time after which pools close a connection: before load balancers forget it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3 * 60);
/// The default age, less a random tenth, after which pools replace a connection: before the service may end it.
pub const MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long it may take for a connection that was idle already when another one was found dead: they probably share
/// its fate. One that lives and is slower than this is replaced in vain.
const SUSPECT_LIMIT: Duration = Duration::from_millis(250);

/// Tells which connections of a pool are in doubt, because others went dead or ended.
pub struct Liveness {
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    /// Connections that were idle for so long are checked.
    after_idle: Duration,
    /// When one was found dead last, in milliseconds of the monotonic clock; 0 for never.
    found_dead: AtomicU64,
    /// Those found dead since the last time that a connection was handed out.
    dead: AtomicU32,
    /// When the server ended a session last, as `found_dead`.
    ended: AtomicU64,
}

impl Liveness {
    /// For a pool that checks connections that were idle for `after_idle` or longer.
    #[must_use]
    pub fn new(runtime: &Runtime, after_idle: Duration) -> Self {
        Self {
            clock: Arc::clone(&runtime.clock),
            timer: Arc::clone(&runtime.timer),
            after_idle,
            found_dead: AtomicU64::new(0),
            dead: AtomicU32::new(0),
            ended: AtomicU64::new(0),
        }
    }

    /// Whether a connection was found dead or ended by the server, ever, so that [`limit`](Self::limit) has to be asked about one that was idle
    /// for a short time, too.
    #[must_use]
    #[inline]
    pub fn has_lost_any(&self) -> bool {
        self.found_dead.load(Ordering::Relaxed) > 0 || self.ended.load(Ordering::Relaxed) > 0
    }

    /// Call this when the server ends a session, in use or not. Connections that were idle at that time are checked, because a
    /// compute that stops ends all of them.
    pub fn session_ended(&self) {
        self.ended.store(millis(self.clock.monotonic()), Ordering::Relaxed);
    }

    /// Call this when a connection is handed out: the number of connections that were found dead since the last call, in this
    /// checkout and in those beside it. `None` for none.
    pub fn replaced(&self) -> Option<u32> {
        match self.dead.load(Ordering::Relaxed) {
            0 => None,
            _ => Some(self.dead.swap(0, Ordering::Relaxed)).filter(|count| *count > 0),
        }
    }

    /// Makes `ping` if a connection that was idle for `idle_for` needs a check; whether it may be handed out.
    ///
    /// # Errors
    ///
    /// That of the ping.
    pub async fn check<E>(
        &self,
        idle_for: Duration,
        ping: impl Future<Output = Result<(), E>>,
    ) -> Result<bool, E> {
        let Some(limit) = self.limit(idle_for) else { return Ok(true) };
        match select(pin!(ping), self.timer.sleep(limit)).await {
            Either::Left((result, _)) => result.map(|()| true),
            Either::Right(_) => {
                self.found_dead.store(millis(self.clock.monotonic()), Ordering::Relaxed);
                self.dead.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
        }
    }

    /// How long the check of a connection that was idle for `idle_for` may take; `None` for no check.
    #[must_use]
    pub fn limit(&self, idle_for: Duration) -> Option<Duration> {
        let found_dead = self.found_dead.load(Ordering::Relaxed);
        let ended = self.ended.load(Ordering::Relaxed);
        let mut is_checked = idle_for >= self.after_idle;
        if found_dead > 0 || ended > 0 {
            let idle_since = millis(self.clock.monotonic().saturating_sub(idle_for));
            if idle_since <= found_dead {
                return Some(SUSPECT_LIMIT);
            }
            is_checked |= idle_since <= ended;
        }
        is_checked.then_some(LIMIT)
    }
}

impl fmt::Debug for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Liveness").field("after_idle", &self.after_idle).finish_non_exhaustive()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a pooled connection of this age is kept and not replaced. In the last tenth of its life chance decides, anew each time, so
/// that connections opened together do not end together.
#[must_use]
pub fn is_young(age: Duration, max_lifetime: Duration) -> bool {
    is_kept(age, max_lifetime, || Jitter::new().fraction())
}

/// The age up to which [`is_young`] is true whatever chance says.
#[must_use]
pub fn surely_young(max_lifetime: Duration) -> Duration {
    max_lifetime - max_lifetime / 10
}

fn is_kept(age: Duration, max_lifetime: Duration, fraction: impl FnOnce() -> f64) -> bool {
    // The usual answer comes without floating point, which costs as much as the rest of a checkout's questions.
    age < surely_young(max_lifetime) || age < max_lifetime.mul_f64(1.0 - 0.1 * fraction())
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;
    use lakebase_testkit::{FakeTime, fake_runtime};

    use super::*;

    const AFTER: Duration = Duration::from_secs(15);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn only_what_was_idle_for_long_is_checked() {
        let time = FakeTime::new();
        let liveness = Liveness::new(&fake_runtime(&time, None), AFTER);
        let check = |idle, ping| liveness.check::<()>(idle, ready(ping)).now_or_never().unwrap();
        assert_eq!(check(seconds(14), Err(())), Ok(true), "no check");
        assert_eq!(check(seconds(15), Ok(())), Ok(true));
        assert_eq!(check(seconds(15), Err(())), Err(()));
    }

    #[test]
    fn a_silent_one_is_given_up_and_makes_suspects_of_its_contemporaries() {
        let time = FakeTime::new();
        time.advance(seconds(1_000));
        let liveness = Liveness::new(&fake_runtime(&time, None), AFTER);
        assert_eq!(liveness.limit(seconds(20)), Some(LIMIT));
        let mut check = Box::pin(liveness.check::<()>(seconds(20), pending()));
        assert!((&mut check).now_or_never().is_none());
        time.advance(LIMIT);
        assert_eq!((&mut check).now_or_never(), Some(Ok(false)));
        drop(check);
        assert_eq!((liveness.replaced(), liveness.replaced()), (Some(1), None));
        // Idle since before the discovery, however shortly.
        assert_eq!(liveness.limit(seconds(20)), Some(SUSPECT_LIMIT));
        assert_eq!(liveness.limit(seconds(3)), Some(SUSPECT_LIMIT));
        // Used since then.
        time.advance(seconds(5));
        assert_eq!(liveness.limit(seconds(4)), None);
    }

    #[test]
    fn those_that_were_idle_when_the_server_ended_one_are_checked() {
        let time = FakeTime::new();
        time.advance(seconds(1_000));
        let liveness = Liveness::new(&fake_runtime(&time, None), AFTER);
        assert_eq!(liveness.limit(seconds(3)), None);
        liveness.session_ended();
        time.advance(seconds(2));
        assert_eq!(liveness.limit(seconds(3)), Some(LIMIT));
        assert_eq!(liveness.limit(seconds(1)), None, "used since then");
        assert_eq!(liveness.replaced(), None, "it was not silent");
    }

    #[test]
    fn only_the_last_tenth_of_a_life_is_left_to_chance() {
        let hour = seconds(3_600);
        let at =
            |minutes: u64, fraction: fn() -> f64| is_kept(seconds(minutes * 60), hour, fraction);
        assert!(at(0, || panic!("drawn for nothing")) && at(53, || panic!("drawn for nothing")));
        assert!(at(55, || 0.0) && !at(55, || 0.9));
        assert!(!at(60, || 0.0) && !at(600, || 0.0));
        assert!(!is_young(Duration::ZERO, Duration::ZERO), "replaced at each release");
    }
}
