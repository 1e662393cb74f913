//! sqlx 0.8 by its recipe.

use drivers::{Driver, Failure, ask_each, play};
use lakebase::{Lakebase, Tunnel};
use sqlx::postgres::PgPool;

struct Sqlx(PgPool, #[expect(dead_code, reason = "sessions end with it")] Tunnel);

impl Driver for Sqlx {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let (pool, tunnel) = recipe::pool(lakebase).await?;
        Ok(Self(pool, tunnel))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.acquire().await?);
        ask_each(count, open, async |conn| {
            Ok(sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut **conn).await?)
        })
        .await
    }
}

#[test]
fn sqlx_0_8() {
    play::<Sqlx>();
}
