//! `lakebase demo`: a pool under load while everything that happens in production happens.
//!
//! Needs nothing but a Postgres installation. The workspace is the emulator in this process; the program
//! side is the library's public interface, used as an application uses it. Time is compressed by tokens
//! that live seconds instead of an hour; everything else is to scale.

mod load;
mod resolver;
mod screen;
mod script;
mod summary;
mod tally;
mod timeline;
mod world;

use std::time::Duration;

use crate::cli::{Demo, Global};
use crate::output::{note, print, print_json};

/// Runs the demo and prints its closing table. A query that failed is a failure of the demo.
pub(crate) async fn run(global: &Global, arguments: &Demo) -> anyhow::Result<i32> {
    let plan = Plan::new(Duration::from_secs(arguments.seconds));
    let summary = script::play(plan).await?;
    match global.json {
        true => print_json(&summary)?,
        false => print(summary.table().render())?,
    }
    if let Some(failure) = &summary.first_failure {
        note(format!("lakebase: {} queries failed, the first: {failure}", summary.failed_queries));
    }
    Ok(if summary.failed_queries == 0 { 0 } else { 1 })
}

/// How long everything takes, derived from the length of the whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// From the first query to the last, about.
    pub(crate) total: Duration,
    /// How long each database token lives.
    pub(crate) token_lifetime: Duration,
    /// After this time a connection is replaced, so that there are logins in the life of every token.
    pub(crate) connection_lifetime: Duration,
    /// How long a suspended endpoint takes to wake.
    pub(crate) wake_delay: Duration,
    /// An idle connection is checked before use after this time.
    pub(crate) ping_after_idle: Duration,
}

impl Plan {
    /// How many times an hour goes into the life of a token here.
    pub(crate) fn compression(&self) -> u64 {
        3600 / self.token_lifetime.as_secs().max(1)
    }

    fn new(total: Duration) -> Self {
        // The service's clock counts whole seconds, so shorter lives would be mostly rounding.
        let token_lifetime = Duration::from_secs((total.as_secs() / 4).clamp(3, 6));
        Self {
            total,
            token_lifetime,
            connection_lifetime: token_lifetime.mul_f64(0.15),
            wake_delay: Duration::from_millis(800),
            ping_after_idle: Duration::from_millis(250),
        }
    }
}
