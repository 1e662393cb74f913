//! From nothing to the first row, once, in a new process.

use anyhow::Result;
use lakebase::Lakebase;
use lakebase::sqlx::{ConnectOptions as _, query_scalar};
use serde_json::{Value, json};

use super::settings;
use crate::clock;

/// Settings, workspace, login, query.
pub(super) async fn ours() -> Result<Value> {
    let started = clock::now();
    let mut connection = Lakebase::from_env()?.connect().await?;
    let _: i32 = query_scalar("select 1").fetch_one(&mut connection).await?;
    Ok(json!({ "millis": clock::millis(clock::since(started)) }))
}

/// The floor: login and query, with the token and the host's address in hand.
pub(super) async fn sqlx() -> Result<Value> {
    let (options, _relay) = settings::sqlx()?;
    let options = options.password(&settings::get::<String>("BENCH_TOKEN")?);
    let started = clock::now();
    let mut connection = options.connect().await?;
    let _: i32 = query_scalar("select 1").fetch_one(&mut connection).await?;
    Ok(json!({ "millis": clock::millis(clock::since(started)) }))
}
