//! The connector's events on standard error: for `--verbose`, and as the log of `lakebase proxy`.

use std::fmt;
use std::io;
use std::time::Duration;

use clap::ValueEnum;
use lakebase::core::Clock as _;
use lakebase_runtime::SystemClock;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{output, process};

/// The form of a log: one event per line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// An object per line.
    Json,
}

/// For `--verbose`: prints the connector's own events from now on; no other library's, as those may hold secrets.
pub(crate) fn be_verbose() {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(process::may_colour(&io::stderr()))
        .with_target(false)
        .with_timer(Uptime::now())
        .with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(ours(Level::DEBUG)).with(lines);
    // Only a second subscriber could make this fail, and there is none.
    let _ = registry.try_init();
}

/// For `--log-format`: the same events with the time of day, and what is said otherwise among them.
pub(crate) fn keep(format: Format, level: Level) {
    // As RFC 3339 has it.
    let time_of_day: fn(&mut Writer<'_>) -> fmt::Result =
        |writer| write!(writer, "{}", SystemClock.wall());
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_timer(time_of_day)
        .with_writer(io::stderr);
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let _ = tracing_subscriber::registry().with(ours(level)).with(lines).try_init();
    output::say_in_log();
}

fn ours(level: Level) -> Targets {
    Targets::new().with_target("lakebase", level)
}

/// Seconds since the command started.
struct Uptime(Duration);

impl Uptime {
    fn now() -> Self {
        Self(SystemClock.monotonic())
    }
}

impl FormatTime for Uptime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let elapsed = SystemClock.monotonic().saturating_sub(self.0);
        write!(writer, "{:>7.3} s", elapsed.as_secs_f64())
    }
}
