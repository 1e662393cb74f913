//! One login with `tokio-postgres` over `cloudflare:sockets`.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, LocalBoxFuture, select};
use lakebase_core::{Error, ErrorKind};
use lakebase_wasm::{Credentials, Effects, Login, WaitOptions};
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use worker::postgres_tls::PassthroughTls;
use worker::{Context, Env, SecureTransport, Socket};

use crate::Problem;
use crate::settings::optional;

/// The longest time for connecting, TLS and login; a compute that was suspended takes some seconds to wake.
const LIMIT: Duration = Duration::from_secs(20);

/// What differs from the endpoint's own address, under libpq's names.
pub(crate) struct ConnectionOptions {
    port: u16,
    options: Option<String>,
}

impl ConnectionOptions {
    /// `PGPORT` and `PGOPTIONS`.
    pub(crate) fn read(env: &Env) -> Result<Self, Error> {
        let port = optional(env, "PGPORT").map_or(Ok(Login::PORT), |port| {
            let wrong =
                |_| Error::new(ErrorKind::Config, "PGPORT is not a port; accepted: 1 to 65535");
            port.parse().map_err(wrong)
        })?;
        Ok(Self { port, options: optional(env, "PGOPTIONS") })
    }
}

impl Problem {
    /// What Postgres or the socket said. The driver quotes neither password nor statement.
    pub(crate) fn postgres(error: tokio_postgres::Error) -> Self {
        let message = match error.as_db_error() {
            Some(refusal) => format!("{}: {}", refusal.code().code(), refusal.message()),
            None => error.to_string(),
        };
        Self { kind: "postgres", message }
    }
}

/// Logs in, a second time with a fresh token if Postgres refuses the first.
pub(crate) async fn connect(
    credentials: &Credentials,
    options: &ConnectionOptions,
    context: &Context,
) -> Result<Client, Problem> {
    let background = |work: LocalBoxFuture<'static, ()>| context.wait_until(work);
    let mut refused = false;
    loop {
        let wait = WaitOptions { background: Some(&background), ..WaitOptions::default() };
        let login = credentials.get_with(wait).await?;
        match in_time(log_in(&login, options, context)).await {
            Err(Failure::Postgres(error)) if !refused && is_refusal(&error) => {
                credentials.invalidate(login.token().expose());
                refused = true;
            }
            Err(Failure::Postgres(error)) => return Err(Problem::postgres(error)),
            Err(Failure::Other(problem)) => return Err(problem),
            Ok(client) => return Ok(client),
        }
    }
}

enum Failure {
    Postgres(tokio_postgres::Error),
    Other(Problem),
}

/// Whether the token was refused: SQLSTATE 28P01.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::INVALID_PASSWORD)
}

async fn log_in(
    login: &Login,
    options: &ConnectionOptions,
    context: &Context,
) -> Result<Client, Failure> {
    let mut config = Config::new();
    config.user(&*login.user).password(login.token().expose()).dbname(&*login.database);
    // `Require`: without it a server that has no TLS would get the token in the clear. The runtime verifies the
    // certificate against the host; it offers nothing that channel binding could use.
    config.ssl_mode(SslMode::Require).channel_binding(ChannelBinding::Disable);
    if let Some(options) = &options.options {
        config.options(options);
    }
    let socket = Socket::builder()
        .secure_transport(SecureTransport::StartTls)
        .connect(&*login.host, options.port)
        .map_err(|error| {
            Failure::Other(Problem { kind: "unavailable", message: error.to_string() })
        })?;
    let (client, connection) =
        config.connect_raw(socket, PassthroughTls).await.map_err(Failure::Postgres)?;
    // Ends when the client is dropped, with `Terminate` to the server.
    context.wait_until(async move {
        let _ = connection.await;
    });
    Ok(client)
}

async fn in_time(work: impl Future<Output = Result<Client, Failure>>) -> Result<Client, Failure> {
    match select(pin!(work), Effects::javascript().timer.sleep(LIMIT)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            let message = format!("Postgres did not answer within {} s", LIMIT.as_secs());
            Err(Failure::Other(Problem { kind: "timed_out", message }))
        }
    }
}
