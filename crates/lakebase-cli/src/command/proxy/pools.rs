//! How pools are doing, for people and for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lakebase_proxy::PoolStats;

use super::served::Served;
use crate::output::Table;

/// A number of a pool: its name, its description, and how to read it.
type Number = (&'static str, &'static str, fn(&PoolStats) -> u64);

/// Numbers that rise and fall.
const GAUGES: [Number; 4] = [
    ("size", "The most sessions at once", |pool| pool.size),
    ("active", "Sessions that clients have, or that are being opened or reset", |pool| pool.active),
    ("idle", "Sessions that nobody uses", |pool| pool.idle),
    ("waiting", "Clients that wait for their turn", |pool| pool.waiting),
];

/// Numbers that only grow.
const COUNTERS: [Number; 6] = [
    ("opened", "Sessions that were opened", |pool| pool.opened),
    ("reused", "Clients that got a session which another one had before", |pool| pool.reused),
    ("resets_failed", "Sessions closed because the reset failed", |pool| pool.resets_failed),
    ("unsettled", "Sessions closed because something was open in them", |pool| pool.unsettled),
    ("ended", "Idle sessions that the server ended", |pool| pool.ended),
    ("timed_out", "Clients whose turn did not come in time", |pool| pool.timed_out),
];

/// The histogram of the time that clients wait for a session.
const WAIT: &str = "lakebase_proxy_pool_wait_seconds";

/// The numbers of a pool by their names, as `/readyz` shows them.
pub(super) fn numbers(pool: &PoolStats) -> BTreeMap<&'static str, u64> {
    GAUGES.iter().chain(&COUNTERS).map(|(name, _, read)| (*name, read(pool))).collect()
}

/// A table with a line for each pool.
pub(super) fn table(served: &[Served], pools: &[Option<PoolStats>]) -> String {
    let numbers = || GAUGES.iter().chain(&COUNTERS);
    let names =
        ["listener", "target", "access"].into_iter().chain(numbers().map(|(name, ..)| *name));
    let mut table = Table::new(names.map(|name| (name, false)));
    for (served, pool) in served.iter().zip(pools) {
        let Some(pool) = pool else { continue };
        let place = [&served.listener, &served.target, served.access()].map(str::to_owned);
        table.row(place.into_iter().chain(numbers().map(|(_, _, read)| read(pool).to_string())));
    }
    table.render_plain()
}

/// The same in Prometheus' text format, with how long clients waited; nothing if there are no pools.
pub(super) fn metrics(served: &[Served], pools: &[Option<PoolStats>]) -> String {
    let pools: Vec<_> = served
        .iter()
        .zip(pools)
        .filter_map(|(served, pool)| Some((labels(served), pool.as_ref()?)))
        .collect();
    let mut text = String::new();
    if pools.is_empty() {
        return text;
    }
    for (kind, suffix, numbers) in [("gauge", "", &GAUGES[..]), ("counter", "_total", &COUNTERS)] {
        for (name, what, read) in numbers {
            let name = format!("lakebase_proxy_pool_{name}{suffix}");
            head(&mut text, &name, what, kind);
            for (labels, pool) in &pools {
                line(&mut text, &format!("{name}{{{labels}}}"), read(pool));
            }
        }
    }
    head(&mut text, WAIT, "How long clients waited for their turn", "histogram");
    for (labels, pool) in &pools {
        let bucket = |text: &mut String, end: &str, count: u64| {
            line(text, &format!("{WAIT}_bucket{{{labels},le=\"{end}\"}}"), count);
        };
        for (end, count) in &pool.waits {
            bucket(&mut text, &end.as_secs_f64().to_string(), *count);
        }
        bucket(&mut text, "+Inf", pool.waits_count);
        line(&mut text, &format!("{WAIT}_sum{{{labels}}}"), pool.waits_sum.as_secs_f64());
        line(&mut text, &format!("{WAIT}_count{{{labels}}}"), pool.waits_count);
    }
    text
}

/// Labels as Prometheus writes them.
fn labels(served: &Served) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!(
        "listener=\"{}\",target=\"{}\",access=\"{}\"",
        escape(&served.listener),
        escape(&served.target),
        served.access()
    )
}

fn head(text: &mut String, name: &str, what: &str, kind: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name} {value}");
}
