//! sea-orm 1 by its recipe.

use drivers::{Driver, Failure, ask_each, play};
use lakebase::{Lakebase, Tunnel};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};

struct SeaOrm(DatabaseConnection, #[expect(dead_code, reason = "sessions end with it")] Tunnel);

impl Driver for SeaOrm {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let (database, tunnel) = recipe::database(lakebase).await?;
        Ok(Self(database, tunnel))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.begin().await?);
        ask_each(count, open, async |transaction| {
            let ask = Statement::from_string(DbBackend::Postgres, "select pg_backend_pid()");
            let row = transaction.query_one(ask).await?.ok_or("no row")?;
            Ok(row.try_get_by_index(0)?)
        })
        .await
    }
}

#[test]
fn sea_orm_1() {
    play::<SeaOrm>();
}
