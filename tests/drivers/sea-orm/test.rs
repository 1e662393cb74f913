//! sea-orm 2 by its recipe.

use drivers::{Driver, Failure, ask_each, play};
use lakebase::Lakebase;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};

struct SeaOrm(DatabaseConnection);

impl Driver for SeaOrm {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        Ok(Self(recipe::database(lakebase).await?.0))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.begin().await?);
        ask_each(count, open, async |transaction| {
            let ask = Statement::from_string(DbBackend::Postgres, "select pg_backend_pid()");
            let row = transaction.query_one_raw(ask).await?.ok_or("no row")?;
            Ok(row.try_get_by_index(0)?)
        })
        .await
    }
}

#[test]
fn sea_orm() {
    play::<SeaOrm>();
}
