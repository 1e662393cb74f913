//! Searches for inputs that break a promise of `lakebase_fuzz::startup`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lakebase_fuzz::startup::run(data));
