//! diesel-async by its recipes.

use diesel::sql_types::Integer;
use diesel::{dsl::sql, select};
use diesel_async::pooled_connection::{bb8, deadpool};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use drivers::{Driver, Failure, ask_each, play};
use lakebase::{Lakebase, Tunnel};

struct Deadpool(
    deadpool::Pool<AsyncPgConnection>,
    #[expect(dead_code, reason = "sessions end with it")] Tunnel,
);
struct Bb8(
    bb8::Pool<AsyncPgConnection>,
    #[expect(dead_code, reason = "sessions end with it")] Tunnel,
);

async fn process(conn: &mut AsyncPgConnection) -> Result<i32, Failure> {
    Ok(select(sql::<Integer>("pg_backend_pid()")).get_result(conn).await?)
}

impl Driver for Deadpool {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let tunnel = lakebase.tunnel().await?;
        Ok(Self(recipe::deadpool(&tunnel)?, tunnel))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.get().await?);
        ask_each(count, open, async |conn| process(conn).await).await
    }
}

impl Driver for Bb8 {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let tunnel = lakebase.tunnel().await?;
        Ok(Self(recipe::bb8(&tunnel).await?, tunnel))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.get().await?);
        ask_each(count, open, async |conn| process(conn).await).await
    }
}

#[test]
fn on_deadpool() {
    play::<Deadpool>();
}

#[test]
fn on_bb8() {
    play::<Bb8>();
}
