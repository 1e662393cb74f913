//! The service and its outages, and an instance with its clocks.

use std::collections::VecDeque;
use std::time::Duration;

use lakebase_core::Timestamp;
use lakebase_core::refresh::Moment;

use super::Settings;
use crate::EPOCH;

/// How long a token lives.
pub(super) const LIFE: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_secs(540);

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs.max(0.0))
}

/// The service: up, except during outages.
#[derive(Debug)]
pub(super) struct Service {
    outages: Vec<(Duration, Duration)>,
}

/// Why a login may have been refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    None,
    ShortOutage,
    LongOutage,
}

impl Service {
    /// About two outages a day, at least two hours apart; each order of magnitude of length is equally likely.
    pub(super) fn new(settings: &Settings) -> Self {
        let mut rng = fastrand::Rng::with_seed(settings.seed);
        let end = Duration::from_secs(u64::from(settings.days) * 86_400);
        let mut outages = Vec::new();
        let mut at = Duration::ZERO;
        loop {
            at += secs(7200.0 - 36_000.0 * (1.0 - rng.f64()).ln());
            let length = secs(10.0 * 420f64.powf(rng.f64()));
            if at >= end {
                return Self { outages };
            }
            outages.push((at, at + length));
            at += length;
        }
    }

    /// How many outages there are, and how many of them are short.
    pub(super) fn count(&self) -> (usize, usize) {
        let short = self.outages.iter().filter(|(from, to)| *to - *from < SHORT).count();
        (self.outages.len(), short)
    }

    fn last(&self, real: Duration) -> Option<(Duration, Duration)> {
        let begun = self.outages.partition_point(|(from, _)| *from <= real);
        self.outages.get(begun.checked_sub(1)?).copied()
    }

    /// When a token that is asked for now will die; `None` during an outage.
    pub(super) fn mint(&self, real: Duration) -> Option<Duration> {
        let down = self.last(real).is_some_and(|(_, to)| real < to);
        (!down).then_some(real + LIFE)
    }

    /// Which outage a failure at `real` may be due to: one that ended within the last hour, or goes on.
    pub(super) fn cause(&self, real: Duration) -> Cause {
        match self.last(real) {
            Some((from, to)) if real < to + LIFE => {
                if to - from < SHORT {
                    Cause::ShortOutage
                } else {
                    Cause::LongOutage
                }
            }
            _ => Cause::None,
        }
    }
}

/// What happens to an instance or its clock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disturbance {
    Suspend { at: Duration, length: Duration },
    Step { at: Duration, millis: i64 },
}

impl Disturbance {
    fn at(self) -> Duration {
        match self {
            Self::Suspend { at, .. } | Self::Step { at, .. } => at,
        }
    }
}

/// One instance, with true time and what its clocks make of it.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) seed: u64,
    pub(super) real: Duration,
    rng: fastrand::Rng,
    suspended: Duration,
    wall_offset: i64,
    disturbances: VecDeque<Disturbance>,
}

impl Instance {
    /// Every tenth instance is a laptop that sleeps at night; every third has a clock up to two hours wrong;
    /// every instance's clock is set once or twice a month by up to an hour.
    pub(super) fn new(settings: &Settings, number: u32) -> Self {
        let seed = settings.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number));
        let mut rng = fastrand::Rng::with_seed(seed);
        let wall_offset = if number.is_multiple_of(3) { rng.i64(-7_200_000..7_200_000) } else { 0 };
        let mut disturbances = Vec::new();
        for day in 0..settings.days {
            let morning = Duration::from_secs(u64::from(day) * 86_400);
            if number.is_multiple_of(10) {
                let at = morning + Duration::from_secs(rng.u64(0..36_000));
                let length = Duration::from_secs(rng.u64(300..28_800));
                disturbances.push(Disturbance::Suspend { at, length });
            }
            if rng.u32(0..20) == 0 {
                let at = morning + Duration::from_secs(rng.u64(70_000..86_000));
                disturbances.push(Disturbance::Step { at, millis: rng.i64(-3_600_000..3_600_000) });
            }
        }
        let (real, suspended) = (Duration::from_millis(rng.u64(0..600_000)), Duration::ZERO);
        Self { seed, real, rng, suspended, wall_offset, disturbances: disturbances.into() }
    }

    /// The pause until the next login.
    pub(super) fn next_login(&mut self, settings: &Settings) -> Duration {
        settings.login_every.mul_f64(self.rng.f64() + 0.5)
    }

    pub(super) fn next_disturbance(&self) -> Duration {
        self.disturbances.front().map_or(Duration::MAX, |next| next.at().max(self.real))
    }

    /// Lets the next disturbance happen.
    pub(super) fn disturb(&mut self) {
        match self.disturbances.pop_front() {
            Some(Disturbance::Suspend { length, .. }) => {
                self.real += length;
                self.suspended += length;
            }
            Some(Disturbance::Step { millis, .. }) => self.wall_offset += millis,
            None => {}
        }
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.real.saturating_sub(self.suspended)
    }

    /// When the monotonic clock will show `monotonic`, if nothing happens.
    pub(super) fn real_at(&self, monotonic: Duration) -> Duration {
        monotonic.saturating_add(self.suspended).max(self.real)
    }

    pub(super) fn wall(&self) -> Timestamp {
        let wall = EPOCH.saturating_add(self.real).as_unix_millis();
        Timestamp::from_unix_millis(wall + self.wall_offset)
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { monotonic: self.monotonic(), wall: self.wall() }
    }
}
