//! `postgres` by its recipe.

use drivers::{Driver, Failure, play};
use lakebase::{Lakebase, Tunnel};

struct Postgres(Tunnel);

impl Driver for Postgres {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let tunnel = lakebase.tunnel().await?;
        Ok(Self(tunnel))
    }

    /// There is no pool, so sessions are new.
    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        // It starts a runtime of its own, which may not be done inside another one.
        tokio::task::block_in_place(|| {
            let mut held = Vec::new();
            for _ in 0..count {
                held.push(recipe::client(&self.0)?);
            }
            let mut processes = Vec::new();
            for client in &mut held {
                processes.push(client.query_one("select pg_backend_pid()", &[])?.get(0));
            }
            Ok(processes)
        })
    }
}

#[test]
fn postgres() {
    play::<Postgres>();
}
