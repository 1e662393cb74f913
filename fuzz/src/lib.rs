//! What is done with untrusted bytes, one module per target; each panics if a promise is broken.
//!
//! `cargo test --manifest-path fuzz/Cargo.toml` replays the seeds, and small changes of them, on stable;
//! `cargo +nightly fuzz run --features libfuzzer profile fuzz/corpus/profile fuzz/seeds/profile` searches.
//!
//! A new target is a module with `pub fn run(data: &[u8])`, a line in [`TARGETS`], three lines in
//! `fuzz_targets/`, a `[[bin]]`, and seeds in `seeds/<name>/`. An input that once broke a promise becomes a seed.

pub mod dns;
pub mod profile;
pub mod replies;
pub mod startup;
pub mod url;

/// A target: its name and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("dns", dns::run),
    ("profile", profile::run),
    ("replies", replies::run),
    ("startup", startup::run),
    ("url", url::run),
];

/// Stands for a secret; no error and no `Debug` output may show it.
pub const CANARY: &str = "dapi0canary0canary0canary";

/// Another secret of the same length, which shares no four characters in a row with the canary.
const OTHER: &str = "quux1widget1widget1widget";

/// Panics if `show` shows a part of the secret that it is given: four characters or more, in any case.
///
/// What else is in the input may hold the canary too, also spelled in a way that is only read as it. So a part counts if it
/// is not shown as often for another secret.
pub(crate) fn assert_secret_hidden(show: impl Fn(&str) -> String) {
    let shown = show(CANARY).to_lowercase();
    let parts = || (0..=CANARY.len() - 4).map(|start| &CANARY[start..start + 4]);
    if !parts().any(|part| shown.contains(part)) {
        return;
    }
    let other = show(OTHER).to_lowercase();
    for part in parts() {
        let count = |text: &str| text.matches(part).count();
        assert!(count(&shown) <= count(&other), "{part:?} of a secret is shown: {shown}");
    }
}

/// Panics if `shown` shows the canary.
pub(crate) fn assert_hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "a secret is shown: {shown}");
}
