//! The operating system's clocks; the only place in the connector that reads them.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lakebase_core::{Clock, Timestamp};

/// The clocks of the operating system.
///
/// [`monotonic`](Clock::monotonic) counts from the first reading in this process, which all values of this
/// type share; on most platforms it stands still while the machine is suspended.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

static START: LazyLock<Instant> = LazyLock::new(now);

#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else asks")]
fn now() -> Instant {
    Instant::now()
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        let start = *START;
        now().saturating_duration_since(start)
    }

    fn wall(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that everything else asks"
        )]
        let now = SystemTime::now();
        let epoch = Timestamp::from_unix_millis(0);
        match now.duration_since(UNIX_EPOCH) {
            Ok(after) => epoch.saturating_add(after),
            Err(before) => epoch.saturating_sub(before.duration()),
        }
    }
}
