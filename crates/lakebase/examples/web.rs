//! A web service with a pool of sqlx; the rest of it is in `web/service.rs`.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

#[path = "web/service.rs"]
mod service;

// ANCHOR: web
use lakebase::{Lakebase, LakebasePool, PoolOptions, sqlx};

impl service::Database for LakebasePool {
    type Error = sqlx::Error;

    async fn count(&self) -> Result<i64, sqlx::Error> {
        let mut session = self.begin().await?;
        let counting = sqlx::query_scalar("select count(*) from pg_class");
        let count = counting.fetch_one(&mut *session).await?;
        session.commit().await?;
        Ok(count)
    }

    async fn close(&self) -> bool {
        Self::close(self).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lakebase = Lakebase::from_env()?;
    let pool = lakebase.pool(PoolOptions::new().max_connections(5)).await?;
    service::serve(lakebase, pool).await
}
// ANCHOR_END: web
