//! The pools that are put under load by the files which `xtask/peers/db` has, too.

use lakebase::sqlx::postgres::{PgPool, PgPoolOptions};
use lakebase::sqlx::{AssertSqlSafe, query};
use lakebase::{Lakebase, PoolOptions};

use super::settings::{self, connections};
use super::{Result, network};

pub(super) async fn ours() -> Result<()> {
    let open = async || {
        let options = PoolOptions::new().max_connections(connections()?);
        let pool = Lakebase::from_env()?.pool(options).await?;
        Ok((*pool).clone())
    };
    network::serve(open, run).await
}

pub(super) async fn sqlx() -> Result<()> {
    let open = async || {
        let (options, _) = settings::sqlx(settings::maybe)?;
        Ok(PgPoolOptions::new().max_connections(connections()?).connect_lazy_with(options))
    };
    network::serve(open, run).await
}

async fn run(pool: PgPool, sql: String) -> Result<(), String> {
    query(AssertSqlSafe(sql)).execute(&pool).await.map(drop).map_err(|error| error.to_string())
}
