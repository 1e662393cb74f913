//! Counts the allocations of the thread that asks.

use std::future::Future;

use allocation_counter::measure;
use futures::executor::block_on;

/// How many allocations one of `times` runs of `work` makes, on average, on this thread.
pub(crate) fn per_run<F: Future>(times: u32, work: impl Fn() -> F) -> f64 {
    // The first read of a thread may register it somewhere.
    block_on(async { std::hint::black_box(work().await) });
    let counted = measure(|| {
        block_on(async {
            for _ in 0..times {
                std::hint::black_box(work().await);
            }
        });
    });
    counted.count_total as f64 / f64::from(times)
}
