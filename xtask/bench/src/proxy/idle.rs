//! Sessions that log in, run one statement and then say nothing: only the relay's memory is looked at.

use anyhow::{Context as _, Result};
use lakebase::sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use lakebase::sqlx::{ConnectOptions as _, Error, Executor as _};

use crate::postgres::DATABASE;

/// Opens `count` sessions through the relay at `port`. The statement makes pgbouncer give each a connection of its own at the server.
pub(super) async fn open(port: u16, user: &str, count: usize) -> Result<Vec<PgConnection>> {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(user)
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable);
    let mut sessions = Vec::new();
    for number in 0..count {
        let opened = session(&options).await;
        sessions.push(opened.with_context(|| format!("session {number}"))?);
    }
    Ok(sessions)
}

async fn session(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let mut session = options.connect().await?;
    session.execute("select 1").await?;
    Ok(session)
}
