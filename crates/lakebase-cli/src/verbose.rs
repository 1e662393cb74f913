//! `--verbose`: what is asked and answered, and what the connector does about it, on standard error.

use std::io;

use lakebase_runtime::SystemClock;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::process;

/// Prints the connector's own events from now on; no other library's, as those may hold secrets.
pub(crate) fn install() {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(process::may_colour(&io::stderr()))
        .with_target(false)
        .with_timer(Uptime::now())
        .with_writer(io::stderr);
    let ours = Targets::new().with_target("lakebase", Level::DEBUG);
    // Only a second subscriber could make this fail, and there is none.
    let _ = tracing_subscriber::registry().with(ours).with(lines).try_init();
}

/// Seconds since the command started.
struct Uptime(std::time::Duration);

impl Uptime {
    fn now() -> Self {
        use lakebase::core::Clock as _;
        Self(SystemClock.monotonic())
    }
}

impl FormatTime for Uptime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        use lakebase::core::Clock as _;
        let elapsed = SystemClock.monotonic().saturating_sub(self.0);
        write!(writer, "{:>7.3} s", elapsed.as_secs_f64())
    }
}
