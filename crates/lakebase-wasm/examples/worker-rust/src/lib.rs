//! A Cloudflare Worker in Rust that answers with rows from Lakebase Postgres.
//!
//! Between requests only [`Credentials`] are kept, which are data. A connection is not: its socket belongs to
//! the request that opened it.
#![cfg(all(target_family = "wasm", target_os = "unknown"))]

mod database;
mod settings;

use std::cell::OnceCell;

use lakebase_wasm::{Credentials, Effects};
use serde_json::{Value, json};
use worker::{Context, Env, Request, Response, event};

use crate::database::ConnectionOptions;

/// What went wrong, as the reply says it. Never holds a secret.
struct Problem {
    kind: &'static str,
    message: String,
}

impl From<lakebase_core::Error> for Problem {
    fn from(error: lakebase_core::Error) -> Self {
        Self { kind: error.kind().as_str(), message: error.to_string() }
    }
}

thread_local! {
    static CREDENTIALS: OnceCell<Credentials> = const { OnceCell::new() };
}

#[event(fetch)]
async fn fetch(_request: Request, env: Env, context: Context) -> worker::Result<Response> {
    match tables(&env, &context).await {
        Ok(reply) => Response::from_json(&reply),
        Err(Problem { kind, message }) => {
            let reply = json!({ "kind": kind, "message": message });
            Ok(Response::from_json(&reply)?.with_status(502))
        }
    }
}

/// How many relations there are in each schema.
async fn tables(env: &Env, context: &Context) -> Result<Value, Problem> {
    let options = ConnectionOptions::read(env)?;
    let client = database::connect(&credentials(env)?, &options, context).await?;
    let sql = "select relnamespace::regnamespace::text, count(*) from pg_class group by 1 having count(*) >= $1 order by 1";
    let rows = client.query(sql, &[&1_i64]).await.map_err(Problem::postgres)?;
    let schemas: Vec<_> = rows
        .iter()
        .map(|row| Ok(json!({ "schema": row.try_get::<_, &str>(0)?, "relations": row.try_get::<_, i64>(1)? })))
        .collect::<Result<_, _>>()
        .map_err(Problem::postgres)?;
    let row = client.query_one("select current_user::text, current_database()::text", &[]).await;
    let row = row.map_err(Problem::postgres)?;
    let text = |index| row.try_get::<_, &str>(index).map_err(Problem::postgres);
    Ok(json!({ "user": text(0)?, "database": text(1)?, "schemas": schemas }))
}

/// Those of this isolate, made by its first request.
fn credentials(env: &Env) -> Result<Credentials, Problem> {
    CREDENTIALS.with(|cell| {
        if let Some(credentials) = cell.get() {
            return Ok(credentials.clone());
        }
        let made = Credentials::new(settings::read(env)?, Effects::javascript())?;
        Ok(cell.get_or_init(|| made).clone())
    })
}
