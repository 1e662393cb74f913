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

/// Panics if `shown` shows the canary.
pub(crate) fn assert_hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "a secret is shown: {shown}");
}
