//! A web service with a pool of deadpool-postgres; the rest of it is in `web/service.rs`.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

#[path = "web/service.rs"]
mod service;

// ANCHOR: web
use std::time::Duration;

use lakebase::deadpool_postgres::{Pool, PoolError};
use lakebase::{Lakebase, RecyclingOptions};

impl service::Database for Pool {
    type Error = PoolError;

    async fn count(&self) -> Result<i64, PoolError> {
        let mut client = self.get().await?;
        let session = client.transaction().await?;
        let counting = session.prepare_cached("select count(*) from pg_class").await?;
        let count = session.query_one(&counting, &[]).await?.get(0);
        session.commit().await?;
        Ok(count)
    }

    async fn close(&self) -> bool {
        Self::close(self);
        self.status().size == 0
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lakebase = Lakebase::from_env()?;
    // A compute that is suspended ends its sessions; each checkout asks whether that has happened.
    let options = RecyclingOptions::new().ping_after_idle(Duration::ZERO);
    let pool = lakebase.deadpool_with(options, |builder| builder.max_size(5))?;
    service::serve(lakebase, pool).await
}
// ANCHOR_END: web
