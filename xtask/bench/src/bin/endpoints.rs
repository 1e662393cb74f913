//! Row `endpoints`: 1 to 1,000 endpoints in one process, all started in the same moment, over two virtual days.
//!
//! Memory is what the process holds per endpoint after its first token, with the task that keeps it fresh. Wake-ups are polls of tasks while
//! nobody asks for a token. The spread compares the busiest minute's mints with the mean, on the first day but for the minute of the start, and on the second day.

#![expect(clippy::print_stdout, reason = "a program for `cargo xtask bench`")]

#[path = "../report.rs"]
#[expect(dead_code, reason = "nothing is absent here")]
mod report;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use allocation_counter::measure;
use async_trait::async_trait;
use lakebase_core::refresh::KeepFresh;
use lakebase_core::{
    CredentialCache, CredentialRequest, CredentialSource, DatabaseCredential, Result, Runtime,
    Secret, Timer,
};
use lakebase_testkit::{FakeSpawn, FakeTime, fake_runtime};

use report::Report;

const ENDPOINTS: [usize; 4] = [1, 10, 100, 1000];
const LIFE: Duration = Duration::from_secs(3600);
const MINT: Duration = Duration::from_millis(100);
const HOURS: usize = 48;
const ROUNDS: usize = 3;

const BYTES: &str = "bytes per endpoint";
const ON_USE: &str = "wake-ups per minute and endpoint, used only when asked";
const KEPT_FRESH: &str = "wake-ups per minute and endpoint, kept fresh";
const MINTS: &str = "mints per hour and endpoint";

/// Mints tokens and counts them by the minute.
#[derive(Debug)]
struct Counting {
    time: FakeTime,
    start: Duration,
    minutes: Mutex<Vec<usize>>,
}

#[async_trait]
impl CredentialSource for Counting {
    async fn fetch(&self, request: &CredentialRequest) -> Result<DatabaseCredential> {
        use lakebase_core::Clock as _;
        self.time.sleep(MINT).await;
        let minute = (self.time.monotonic() - self.start).as_secs() / 60;
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = usize::try_from(minute).ok().and_then(|it| minutes.get_mut(it)) {
            *count += 1;
        }
        Ok(DatabaseCredential {
            token: Secret::new(format!("{:-<800}", request.compute)),
            expires_at: self.time.real().saturating_add(LIFE),
            served_at: Some(self.time.real()),
        })
    }
}

/// What one round gave, by unit.
type Outcome = [(&'static str, f64); 6];

fn main() -> serde_json::Result<()> {
    let mut report = Report::default();
    for endpoints in ENDPOINTS {
        let case = format!("{endpoints} endpoint{}", if endpoints == 1 { "" } else { "s" });
        for _ in 0..ROUNDS {
            for (unit, value) in play(endpoints, HOURS) {
                report.add(&case, "ours", unit, value);
            }
        }
    }
    print!("{}", report.lines()?);
    Ok(())
}

fn play(endpoints: usize, hours: usize) -> Outcome {
    let time = FakeTime::new();
    let spawn = FakeSpawn::new(&time);
    let runtime = fake_runtime(&time, Some(Arc::new(spawn.clone())));
    let source = Arc::new(Counting {
        start: lakebase_core::Clock::monotonic(&time),
        time: time.clone(),
        minutes: Mutex::new(vec![0; hours * 60]),
    });

    let mut caches = Vec::with_capacity(endpoints);
    let mut kept: Vec<KeepFresh> = Vec::with_capacity(endpoints);
    let memory = measure(|| {
        for number in 0..endpoints {
            caches.push(cache(number, &source, &runtime));
        }
        kept.extend(caches.iter().map(|cache| cache.keep_fresh()));
        spawn.pass(Duration::from_secs(1));
    });
    let asked = caches.iter().filter(|cache| cache.peek().is_some()).count();
    assert_eq!(asked, endpoints, "every endpoint has its first token");

    let minute = Duration::from_secs(60);
    let mut polls = 0;
    for _ in 0..hours * 60 {
        polls += spawn.pass(minute);
    }
    let minutes = source.minutes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let middle = minutes.len() / 2;
    let mints: usize = minutes[60..].iter().sum();
    drop(kept);
    spawn.settle();
    // A program that only asks when it needs a token has no task at all.
    let idle = spawn.pass(10 * minute);
    let each = endpoints as f64;
    [
        (BYTES, memory.bytes_current as f64 / each),
        (ON_USE, idle as f64 / 10.0 / each),
        (KEPT_FRESH, polls as f64 / (hours * 60) as f64 / each),
        (MINTS, mints as f64 / (hours - 1) as f64 / each),
        ("busiest minute's mints ÷ mean, first day", peak_to_mean(&minutes[1..middle])),
        ("busiest minute's mints ÷ mean, second day", peak_to_mean(&minutes[middle..])),
    ]
}

/// How many times the mean the largest count is.
fn peak_to_mean(counts: &[usize]) -> f64 {
    let sum: usize = counts.iter().sum();
    let peak = counts.iter().max().copied().unwrap_or_default();
    peak as f64 * counts.len() as f64 / sum as f64
}

fn cache(number: usize, source: &Arc<Counting>, runtime: &Runtime) -> CredentialCache {
    let name = format!("projects/shop/branches/production/endpoints/e-{number}");
    let name = name.parse().expect("a valid name");
    CredentialCache::new(Arc::clone(source) as _, CredentialRequest::new(name), runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_about_once_an_hour_and_idle_handles_do_nothing() {
        let outcome = play(5, 6);
        let value = |unit| outcome.iter().find(|(it, _)| *it == unit).unwrap().1;
        assert!((1.0..1.6).contains(&value(MINTS)), "{outcome:?}");
        assert!(value(BYTES) > 800.0 && value(BYTES) < 20_000.0, "{outcome:?}");
        assert!(value(KEPT_FRESH) > 0.0, "{outcome:?}");
        assert_eq!(value(ON_USE), 0.0);
    }

    #[test]
    fn a_herd_is_told_from_a_spread() {
        assert_eq!(peak_to_mean(&[2, 2, 2, 2]), 1.0);
        assert_eq!(peak_to_mean(&[8, 0, 0, 0]), 4.0);
    }
}
