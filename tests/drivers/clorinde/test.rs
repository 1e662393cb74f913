//! clorinde by its recipe.

use std::time::Duration;

use drivers::{Driver, Failure, play};
use lakebase::{Lakebase, RecyclingOptions, deadpool_postgres::Pool};

struct Clorinde(Pool);

impl Driver for Clorinde {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let options = RecyclingOptions::new().ping_after_idle(Duration::ZERO);
        Ok(Self(lakebase.deadpool_with(options, |builder| builder.max_size(5))?))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let mut held = Vec::new();
        for _ in 0..count {
            held.push(recipe::client(&self.0).await?);
        }
        let mut processes = Vec::new();
        for client in &held {
            processes.push(recipe::session(client).await?);
        }
        Ok(processes)
    }
}

#[test]
fn clorinde() {
    play::<Clorinde>();
}
