//! The web service of `crates/lakebase/examples` with sea-orm; the rest of it is in `web/service.rs` there.

#[path = "../../../crates/lakebase/examples/web/service.rs"]
mod service;

// ANCHOR: web
use lakebase::{Lakebase, LakebasePool};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait};

#[derive(Clone)]
struct SeaOrm {
    database: DatabaseConnection,
    pool: LakebasePool,
}

impl service::Database for SeaOrm {
    type Error = DbErr;

    async fn count(&self) -> Result<i64, DbErr> {
        let session = self.database.begin().await?;
        let counting = Statement::from_string(DbBackend::Postgres, "select count(*) from pg_class");
        let row = session.query_one_raw(counting).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("pg_class".to_owned()))?;
        session.commit().await?;
        row.try_get_by_index(0)
    }

    async fn close(&self) -> bool {
        self.pool.close().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lakebase = Lakebase::from_env()?;
    let (database, pool) = recipe::database(&lakebase).await?;
    service::serve(lakebase, SeaOrm { database, pool }).await
}
// ANCHOR_END: web
