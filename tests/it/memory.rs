//! How much memory a handle and a pool hold, counted by an allocator: what the facade's documentation states.

use allocation_counter::{AllocationInfo, measure};
use lakebase::{Lakebase, PoolOptions};

use crate::support::{Setup, endpoint, shared, until};

/// What `work` allocated on this thread and has not freed, with what it returned.
///
/// Tasks run on this thread, too; the emulator and look-ups by the system do not.
fn held<T>(work: impl AsyncFnOnce() -> T, runtime: &tokio::runtime::Runtime) -> (i64, T) {
    let mut value = None;
    let AllocationInfo { bytes_current, .. } =
        measure(|| value = Some(runtime.block_on(async { work().await })));
    (bytes_current, value.unwrap())
}

#[test]
fn a_handle_and_a_pool_are_small() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    let (name, _) = endpoint(shared());
    let sessions = || shared().counters(&name).unwrap().open;
    let setup = Setup::m2m(shared()).endpoint(&name);
    let options = || PoolOptions::new().max_connections(9).keep_idle(0);
    let login = async |lakebase: &Lakebase| drop(lakebase.connector().login().await.unwrap());
    // What all handles of a process share is there already, and tasks of the first one are not any more.
    let tasks = || runtime.metrics().num_alive_tasks();
    runtime.block_on(async {
        let lakebase = setup.build();
        lakebase.pool(options()).await.unwrap().close().await;
        until(&lakebase, "its tasks have ended", || tasks() == 0).await;
    });
    let (cold, lakebase) = held(async || setup.build(), &runtime);
    let (caches, ()) = held(async || login(&lakebase).await, &runtime);
    let open = async || {
        let pool = lakebase.pool(options()).await.unwrap();
        // What accepts drivers, what renews the token, and sqlx's own.
        let idle = || pool.size() == 0 && sessions() == 0 && tasks() == 3;
        until(&lakebase, "nothing is idle", idle).await;
        pool
    };
    let (empty, pool) = held(open, &runtime);
    let keep = async || {
        let pool = lakebase.pool(options().keep_idle(9)).await.unwrap();
        pool.warm_up(9).await.unwrap();
        until(&lakebase, "all are idle", || pool.num_idle() == 9).await;
        pool
    };
    let (full, nine) = held(keep, &runtime);
    let each = (full - empty) / 9;
    println!("handle {cold} B, warm {} B; pool {empty} B, {each} B per connection", cold + caches);
    // In kB, what the documentation states; other versions of what is below may need a tenth more.
    for (what, bytes, stated) in [
        ("a handle", cold, 100),
        ("a warm handle", cold + caches, 160),
        ("an empty pool", empty, 69),
        ("an idle connection", each, 33),
    ] {
        assert!(0 < bytes, "{what}: {bytes} bytes, stated are {stated} kB");
        assert!(bytes <= stated * 1_100, "{what}: {bytes} bytes, stated are {stated} kB");
    }
    drop((pool, nine));
}
