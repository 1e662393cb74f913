//! From nothing to the first row, once, in a new process.

use std::time::Instant;

use anyhow::Result;
use lakebase::Lakebase;
use lakebase::sqlx::{ConnectOptions as _, PgConnection, query_scalar};
use serde_json::json;

use super::settings;
use crate::clock;

/// Settings, workspace, login, query.
pub(super) async fn ours() -> Result<()> {
    let started = clock::now();
    first_row(started, Lakebase::from_env()?.connect().await?).await
}

/// The floor: login and query, with the token and the host's address in hand.
pub(super) async fn sqlx() -> Result<()> {
    let (options, _relay) = settings::sqlx(settings::maybe)?;
    let options = options.password(&settings::get::<String>("BENCH_TOKEN")?);
    let started = clock::now();
    first_row(started, options.connect().await?).await
}

/// Asks for it, and prints how long it took.
async fn first_row(started: Instant, mut connection: PgConnection) -> Result<()> {
    let _: i32 = query_scalar("select 1").fetch_one(&mut connection).await?;
    println!("{}", json!({ "millis": clock::millis(clock::since(started)) }));
    Ok(())
}
