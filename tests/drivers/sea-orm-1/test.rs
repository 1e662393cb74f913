//! sea-orm 1 by its recipe.

use drivers::{Driver, Failure, play};
use lakebase::{Lakebase, Tunnel};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};

struct SeaOrm(DatabaseConnection, #[expect(dead_code, reason = "sessions end with it")] Tunnel);

impl Driver for SeaOrm {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let (database, tunnel) = recipe::database(lakebase).await?;
        Ok(Self(database, tunnel))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let mut held = Vec::new();
        for _ in 0..count {
            held.push(self.0.begin().await?);
        }
        let mut processes = Vec::new();
        for transaction in &held {
            let ask = Statement::from_string(DbBackend::Postgres, "select pg_backend_pid()");
            let row = transaction.query_one(ask).await?.ok_or("no row")?;
            processes.push(row.try_get_by_index(0)?);
        }
        Ok(processes)
    }
}

#[test]
fn sea_orm_1() {
    play::<SeaOrm>();
}
