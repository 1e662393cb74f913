//! Spans, events and metrics. The functions are empty without the features `tracing` and `metrics`.
//!
//! Spans are entered around futures and end with them, also on failure and cancellation. Fields and labels have few
//! values: kinds of values, outcomes, classes. None contains a secret, an SQL text or a driver's error. Errors are logged
//! by [`Error::report`](crate::Error::report), which contains no secret either.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::{ConnectFailure, SettingOrigin, SslMode, Timestamp};

/// Describes the metrics to the recorder, once.
#[cfg(feature = "metrics")]
pub(crate) fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        describe_histogram!(REFRESH_DURATION, Unit::Seconds, "Time to fetch a new value");
        describe_gauge!(EXPIRES, Unit::Seconds, "When the newest value expires, since 1970");
        describe_counter!(LOGINS, Unit::Count, "Logins by result");
        describe_counter!(RETRIES, Unit::Count, "Failed logins that were tried again, by class");
        describe_counter!(WAKE_UPS, Unit::Count, "Logins that found the compute asleep and waited");
    });
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn describe() {}

#[cfg(feature = "metrics")]
const REFRESH_DURATION: &str = "lakebase_refresh_duration_seconds";
#[cfg(feature = "metrics")]
const EXPIRES: &str = "lakebase_value_expires_seconds";
#[cfg(feature = "metrics")]
const LOGINS: &str = "lakebase_logins_total";
#[cfg(feature = "metrics")]
const RETRIES: &str = "lakebase_login_retries_total";
#[cfg(feature = "metrics")]
const WAKE_UPS: &str = "lakebase_wake_ups_total";

/// Runs `work` inside a span.
#[cfg(feature = "tracing")]
pub(crate) fn within<F: Future>(span: Span, work: F) -> impl Future<Output = F::Output> {
    tracing::Instrument::instrument(work, span.0)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn within<F: Future>(_: Span, work: F) -> impl Future<Output = F::Output> {
    work
}

/// A span; empty without the feature `tracing`.
#[derive(Clone)]
pub(crate) struct Span(#[cfg(feature = "tracing")] tracing::Span);

impl Span {
    /// One fetch of a `kind` of value, with all attempts.
    pub(crate) fn fetch(kind: &'static str, forced: bool) -> Self {
        let _ = (kind, forced);
        Self(
            #[cfg(feature = "tracing")]
            tracing::info_span!("lakebase.fetch", kind, forced),
        )
    }

    /// One attempt to log in, which may be part of a wake-up.
    pub(crate) fn login(attempt: u32, wake_up: Option<&Self>) -> Self {
        let _ = (attempt, wake_up);
        Self(
            #[cfg(feature = "tracing")]
            match wake_up {
                Some(parent) => tracing::info_span!(parent: &parent.0, "lakebase.login", attempt),
                None => tracing::info_span!("lakebase.login", attempt),
            },
        )
    }

    /// All attempts since a login found the compute asleep.
    pub(crate) fn wake_up() -> Self {
        #[cfg(feature = "metrics")]
        metrics::counter!(WAKE_UPS).increment(1);
        Self(
            #[cfg(feature = "tracing")]
            tracing::info_span!("lakebase.wake_up"),
        )
    }
}

/// A fetch succeeded. The value is valid for `lifetime` from its start, until `expires` by this machine's clock.
pub(crate) fn refreshed(
    kind: &'static str,
    took: Duration,
    lifetime: Duration,
    expires: Timestamp,
) {
    let _ = (kind, took, lifetime, expires);
    #[cfg(feature = "tracing")]
    tracing::info!(kind, took_ms = millis(took), lifetime_s = lifetime.as_secs(), "refreshed");
    #[cfg(feature = "metrics")]
    {
        metrics::histogram!(REFRESH_DURATION, "kind" => kind, "outcome" => "ok")
            .record(took.as_secs_f64());
        let since_1970 = expires.saturating_since(Timestamp::from_unix_millis(0));
        metrics::gauge!(EXPIRES, "kind" => kind).set(since_1970.as_secs_f64());
    }
}

/// A fetch failed.
pub(crate) fn refresh_failed(kind: &'static str, took: Duration, error: &crate::Error) {
    let _ = (kind, took, error);
    #[cfg(feature = "tracing")]
    tracing::warn!(kind, took_ms = millis(took), error = %error.report(), "refresh failed");
    #[cfg(feature = "metrics")]
    metrics::histogram!(REFRESH_DURATION, "kind" => kind, "outcome" => error.kind().as_str())
        .record(took.as_secs_f64());
}

/// The refresh of a value entered another phase.
pub(crate) fn phase(kind: &'static str, phase: impl fmt::Debug) {
    let _ = (kind, &phase);
    #[cfg(feature = "tracing")]
    tracing::info!(kind, phase = ?phase, "phase");
}

/// `sslmode` was raised to `verify-full`, because a token is sent.
pub(crate) fn ssl_mode_raised(mode: SslMode, origin: Option<&SettingOrigin>) {
    let _ = (mode, origin);
    #[cfg(feature = "tracing")]
    {
        let setting = origin.map_or_else(|| "a default".to_owned(), ToString::to_string);
        tracing::info!(
            sslmode = mode.as_str(),
            setting,
            "sslmode raised to verify-full for a token"
        );
    }
}

/// A login succeeded after `failed` attempts.
pub(crate) fn logged_in(failed: u32) {
    let _ = failed;
    #[cfg(feature = "tracing")]
    tracing::debug!(failed, "logged in");
    #[cfg(feature = "metrics")]
    metrics::counter!(LOGINS, "result" => "ok").increment(1);
}

/// A login failed and is retried after `pause`.
pub(crate) fn login_retried(class: ConnectFailure, pause: Duration) {
    let _ = (class, pause);
    #[cfg(feature = "tracing")]
    tracing::warn!(
        class = class_name(class),
        pause_ms = millis(pause),
        "login failed, trying again"
    );
    #[cfg(feature = "metrics")]
    metrics::counter!(RETRIES, "class" => class_name(class)).increment(1);
}

/// The last attempt of a login failed.
pub(crate) fn login_failed(error: &crate::Error) {
    let _ = error;
    #[cfg(feature = "tracing")]
    tracing::warn!(kind = error.kind().as_str(), error = %error, "login failed");
    #[cfg(feature = "metrics")]
    metrics::counter!(LOGINS, "result" => error.kind().as_str()).increment(1);
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
fn class_name(class: ConnectFailure) -> &'static str {
    match class {
        ConnectFailure::AuthRejected => "auth_rejected",
        ConnectFailure::Waking => "waking",
        ConnectFailure::Transient => "transient",
        ConnectFailure::UnknownEndpoint | ConnectFailure::Permanent(_) => "permanent",
    }
}

#[cfg(feature = "tracing")]
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
