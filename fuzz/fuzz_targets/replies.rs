//! Searches for inputs that break a promise of `lakebase_fuzz::replies`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lakebase_fuzz::replies::run(data));
