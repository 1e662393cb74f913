//! Reading a fresh value costs no allocation, and a handle little memory.

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use futures::FutureExt;
use lakebase_core::refresh::{Cache, Machine};
use lakebase_testkit::{FakeTime, Reply, ScriptedOrigin, fake_runtime};

#[test]
fn fresh_reads_do_not_allocate() {
    let time = FakeTime::new();
    let origin = ScriptedOrigin::new(&time, vec![Reply::token(Duration::from_secs(3600))]);
    let cache = Cache::new(Arc::new(origin), &fake_runtime(&time, None));
    let first = measure(|| assert!(cache.get().now_or_never().is_some_and(|it| it.is_ok())));
    assert!(first.count_total > 0, "the counter counts");
    // The first read of a thread registers it with `arc-swap`.
    assert!(cache.peek().is_some());
    let reads = measure(|| {
        for _ in 0..1000 {
            assert!(cache.peek().is_some());
            assert!(cache.get().now_or_never().is_some_and(|it| it.is_ok()));
        }
    });
    assert_eq!(reads.count_total, 0);
}

#[test]
fn a_handle_is_one_word_and_a_cache_fits_into_a_kilobyte() {
    assert_eq!(size_of::<Cache<lakebase_core::DatabaseCredential>>(), size_of::<usize>());
    assert!(size_of::<Machine>() <= 512, "{}", size_of::<Machine>());
    let time = FakeTime::new();
    let origin: Arc<ScriptedOrigin> = Arc::new(ScriptedOrigin::new(&time, Vec::new()));
    let runtime = fake_runtime(&time, None);
    let mut cache = None;
    let memory = measure(|| cache = Some(Cache::new(origin, &runtime)));
    assert!(memory.bytes_current <= 1024, "{} bytes", memory.bytes_current);
    drop(cache);
}
