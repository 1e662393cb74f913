//! sea-orm 2 by its recipe.

use drivers::{Driver, Failure, play};
use lakebase::Lakebase;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};

struct SeaOrm(DatabaseConnection);

impl Driver for SeaOrm {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        Ok(Self(recipe::database(lakebase).await?.0))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let mut held = Vec::new();
        for _ in 0..count {
            held.push(self.0.begin().await?);
        }
        let mut processes = Vec::new();
        for transaction in &held {
            let ask = Statement::from_string(DbBackend::Postgres, "select pg_backend_pid()");
            let row = transaction.query_one_raw(ask).await?.ok_or("no row")?;
            processes.push(row.try_get_by_index(0)?);
        }
        Ok(processes)
    }
}

#[test]
fn sea_orm() {
    play::<SeaOrm>();
}
