//! `lakebase demo`: everything happens, and no query fails.

use crate::support::{Run, bare, json};

#[test]
fn no_query_fails_while_everything_happens() {
    let run = Run::of(bare().args(["demo", "--json", "--seconds", "5"]));
    let shown = run.stderr.clone();
    let table = json(&run.success());
    assert_eq!(table["failed_queries"], 0, "{table}");
    assert_eq!(table["first_failure"], serde_json::Value::Null, "{table}");
    let at_least = |key: &str, least: f64| {
        let value = table[key].as_f64().unwrap_or_else(|| panic!("no {key} in {table}"));
        assert!(value >= least, "{key} should be at least {least}: {table}\n{shown}");
    };
    at_least("queries", 100.0);
    at_least("logins", 8.0);
    at_least("rotations", 3.0);
    at_least("tokens_minted", 4.0);
    at_least("failed_mints", 1.0);
    at_least("outage_seconds", 0.5);
    at_least("wake_ups", 1.0);
    at_least("wake_up_seconds", 0.5);
    at_least("refused_logins", 1.0);
    at_least("resolver_failures", 1.0);
    assert_eq!(table["closed_cleanly"], true, "{table}");

    assert!(!shown.contains('\u{1b}'), "plain lines where there is no terminal: {shown}");
    for part in [
        "replica (read-only), then primary (read-write)",
        "chosen: primary",
        "token 1: minted",
        "a direct DNS query",
        "the outage ends",
        "scales to zero",
        "awake: first answer",
        "all tokens are revoked",
        "the pool is closed",
    ] {
        assert!(shown.contains(part), "{part} is not shown: {shown}");
    }
}
