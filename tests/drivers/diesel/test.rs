//! diesel by its recipe.

use diesel::pg::PgConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel::sql_types::Integer;
use diesel::{RunQueryDsl, dsl::sql, select};
use drivers::{Driver, Failure, ask_each, play};
use lakebase::{Lakebase, Tunnel};

struct Diesel(
    Pool<ConnectionManager<PgConnection>>,
    #[expect(dead_code, reason = "sessions end with it")] Tunnel,
);

impl Driver for Diesel {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let tunnel = lakebase.tunnel().await?;
        Ok(Self(recipe::pool(&tunnel)?, tunnel))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.get()?);
        ask_each(count, open, async |conn| {
            Ok(select(sql::<Integer>("pg_backend_pid()")).get_result(conn)?)
        })
        .await
    }
}

#[test]
fn diesel() {
    play::<Diesel>();
}
