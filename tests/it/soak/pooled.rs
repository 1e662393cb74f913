//! pgbench logs in anew for every transaction through the pool of a proxy, while tokens rotate, computes are suspended and
//! sessions are killed. A statement may be cut with its session; a login never fails.

use std::time::Duration;

use lakebase_emulator::Emulator;
use lakebase_proxy::PoolOptions;

use super::{Pgbench, ROTATIONS, ahead, listener, serve};
use crate::support::{Setup, until};

/// How long a compute takes to wake.
const WAKE: Duration = Duration::from_millis(20);

#[test]
fn a_thousand_rotations_suspends_and_kills_behind_a_pool() {
    crate::support::on_tokio(async {
        let emulator = Emulator::builder().wake_delay(WAKE).start().unwrap();
        let endpoint = emulator.description().endpoint.clone();
        let plain = Setup::m2m(&emulator).build();
        let (lakebase, clock) = ahead(&emulator, &plain);
        let options = PoolOptions { size: 3, ..PoolOptions::default() };
        let (port, monitor, serving) = serve(listener(&lakebase).pool(options)).await;
        let cache = lakebase.connector().credentials().await.unwrap().unwrap();
        let mut held = cache.get().await.unwrap();
        let start = || Pgbench::start(port);
        let mut clients = [start(), start()];
        let mut cut = 0;
        for number in 1..=ROTATIONS {
            match number % 3 {
                0 => {
                    clock.step(&emulator);
                    // Moves the rotation on, if the background has not seen yet that an hour passed.
                    cache.get().await.unwrap();
                    held = cache.changed(Some(held.generation())).await;
                }
                1 => emulator.suspend(&endpoint).unwrap(),
                _ => emulator.end_sessions(&endpoint).unwrap(),
            }
            let goal = monitor.stats().logins + 10;
            until(&plain, "pgbench logs in", || {
                for client in &mut clients {
                    if let Some(said) = client.ended() {
                        // Of a login it says "connection to server … failed" and "aborted while establishing connection".
                        let in_statement = said.contains("aborted in command")
                            && !said.contains("connection to server");
                        assert!(in_statement, "after {number}: {said}");
                        cut += 1;
                        *client = start();
                    }
                }
                monitor.stats().logins >= goal
            })
            .await;
        }
        let (stats, pool) = (monitor.stats(), monitor.pools().remove(0).unwrap());
        assert!(stats.failed_logins.is_empty() && stats.rejected == 0, "{stats:?}");
        assert!(pool.opened > ROTATIONS / 2 && pool.reused > pool.opened, "{pool:?}");
        assert!(cut <= 2 * ROTATIONS, "{cut}");
        drop(clients);
        serving.abort();
    });
}
