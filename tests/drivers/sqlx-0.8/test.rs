//! sqlx 0.8 by its recipe.

use drivers::{Driver, Failure, play};
use lakebase::{Lakebase, Tunnel};
use sqlx::postgres::PgPool;

struct Sqlx(PgPool, #[expect(dead_code, reason = "sessions end with it")] Tunnel);

impl Driver for Sqlx {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let (pool, tunnel) = recipe::pool(lakebase).await?;
        Ok(Self(pool, tunnel))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let mut held = Vec::new();
        for _ in 0..count {
            held.push(self.0.acquire().await?);
        }
        let mut processes = Vec::new();
        for conn in &mut held {
            processes
                .push(sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut **conn).await?);
        }
        Ok(processes)
    }
}

#[test]
fn sqlx_0_8() {
    play::<Sqlx>();
}
