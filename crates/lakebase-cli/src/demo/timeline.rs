//! Watches the demo from beside it and keeps the screen up to date.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lakebase::core::{Clock, CredentialCache};

use super::screen::{Column, Screen};
use super::tally::Tally;
use super::world::Service;

/// How often the strips are redrawn.
const REFRESH: Duration = Duration::from_millis(100);

/// The elapsed time, the screen, and what is on it. Shared by the script and its watchers.
#[derive(Debug)]
pub(crate) struct Timeline {
    clock: Arc<dyn Clock>,
    started: Duration,
    total: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    screen: Screen,
    columns: Vec<Column>,
    seen: Column,
    tokens: u64,
}

impl Timeline {
    /// Starts now, for a demo of about `total`.
    pub(crate) fn start(clock: Arc<dyn Clock>, total: Duration) -> Self {
        let started = clock.monotonic();
        let state = State {
            screen: Screen::stderr(),
            columns: Vec::new(),
            seen: Column::default(),
            tokens: 0,
        };
        Self { clock, started, total, state: Mutex::new(state) }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }

    /// Waits until this part of the whole is over; at once if it is.
    pub(crate) async fn until(&self, part: f64) {
        tokio::time::sleep(self.total.mul_f64(part).saturating_sub(self.elapsed())).await;
    }

    /// Prints a line that stays.
    pub(crate) fn event(&self, text: impl AsRef<str>) {
        let at = self.elapsed();
        self.lock().screen.event(at, text.as_ref());
    }

    /// Tokens that the program got so far.
    pub(crate) fn tokens(&self) -> u64 {
        self.lock().tokens
    }

    /// Reports each new token and what was done so far, for as long as it is polled.
    pub(crate) async fn watch_tokens(
        &self,
        cache: CredentialCache,
        lifetime: Duration,
        service: &Service,
        tally: &Tally,
    ) {
        let (mut seen, mut since) = (None, Duration::ZERO);
        loop {
            let held = cache.changed(seen).await;
            let now = self.elapsed();
            let number = {
                let mut state = self.lock();
                state.tokens += 1;
                state.tokens
            };
            let left = lifetime.saturating_sub(now.saturating_sub(since)).as_secs_f64();
            let (queries, logins) = (tally.queries(), service.counters().accepted);
            let done = format!("so far {queries} queries, {logins} logins");
            self.event(match seen {
                None => format!("token {number}: minted, lives {} s", lifetime.as_secs()),
                Some(_) if left < 0.1 => {
                    format!("token {number}: takes over as the one before dies; {done}")
                }
                Some(_) => {
                    format!("token {number}: takes over from one with {left:.1} s to live; {done}")
                }
            });
            seen = Some(held.generation());
            since = now;
        }
    }

    /// Redraws the strips, for as long as it is polled.
    pub(crate) async fn draw(&self, service: &Service, tally: &Tally) {
        loop {
            self.sample(service, tally);
            tokio::time::sleep(REFRESH).await;
        }
    }

    fn sample(&self, service: &Service, tally: &Tally) {
        let at = self.elapsed();
        let mut state = self.lock();
        let State { screen, columns, seen, tokens } = &mut *state;
        let now = Column {
            tokens: *tokens,
            failed_mints: service.failed_mints(),
            logins: service.counters().accepted,
            queries: tally.queries(),
            failed: tally.failed(),
        };
        let index = column_at(at, self.total, screen.columns());
        columns.resize(columns.len().max(index + 1), Column::default());
        if let Some(column) = columns.get_mut(index) {
            column.tokens += now.tokens - seen.tokens;
            column.failed_mints += now.failed_mints - seen.failed_mints;
            column.logins += now.logins - seen.logins;
            column.queries += now.queries - seen.queries;
            column.failed += now.failed - seen.failed;
        }
        *seen = now;
        let status = format!(
            "{:.1} s: {} queries, {} failed, {} logins, {} tokens",
            at.as_secs_f64(),
            now.queries,
            now.failed,
            now.logins,
            now.tokens
        );
        screen.block(&status, columns);
    }

    /// Draws the strips for the last time.
    pub(crate) fn end(&self, service: &Service, tally: &Tally) {
        self.sample(service, tally);
        self.lock().screen.end();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The column that `at` falls into, when `total` has `columns`; the last one for all that comes after.
fn column_at(at: Duration, total: Duration, columns: usize) -> usize {
    let parts = u128::try_from(columns).unwrap_or(1);
    let index = at.as_millis().saturating_mul(parts) / total.as_millis().max(1);
    usize::try_from(index).unwrap_or(usize::MAX).min(columns.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_share_the_whole_and_the_last_takes_the_rest() {
        let second = Duration::from_secs(1);
        let at = |millis| column_at(Duration::from_millis(millis), second * 10, 50);
        assert_eq!([at(0), at(199), at(200), at(9_999), at(20_000)], [0, 0, 1, 49, 49]);
        assert_eq!(column_at(second, Duration::ZERO, 50), 49);
    }
}
