//! Carries a request out.

use std::time::Duration;

use super::error::Failure;
use super::statement::Action;
use super::{AUTHENTICATOR, Plan, decide, plan};
use crate::gateway::Decision;
use crate::postgres::{QueryError, Transaction};
use crate::request::{Answer, Request};
use crate::shared::Shared;
use crate::world::DATABASE;

/// Longest slice a held request sleeps, so that a clock moved by hand is noticed.
const WAIT_SLICE: Duration = Duration::from_millis(10);

/// Answers one request.
pub(crate) async fn answer(shared: &Shared, request: &Request) -> Answer {
    let planned = shared.with(|state, real| plan(state, real, request));
    let outcome = match planned {
        Ok(plan) => carry_out(shared, &plan).await,
        Err(failure) => Err(failure),
    };
    outcome.unwrap_or_else(Failure::answer)
}

async fn carry_out(shared: &Shared, plan: &Plan) -> Result<Answer, Failure> {
    loop {
        match shared.with(|state, real| decide(state, real, &plan.route)) {
            Decision::Accept => break,
            Decision::Wait(time) => tokio::time::sleep(time.min(WAIT_SLICE)).await,
            Decision::Refuse(refusal) => return Err(Failure::unreachable(&refusal.message)),
            Decision::Close => return Err(Failure::unreachable("the connection was closed")),
        }
    }
    let statement = &plan.statement;
    let transaction = Transaction {
        user: AUTHENTICATOR,
        role: &plan.role,
        database: DATABASE,
        read_only: plan.route.read_only || plan.action == Action::Read,
    };
    let row = transaction.run(&shared.socket, &statement.sql, &statement.parameters).await;
    let row = row.map_err(|error| match error {
        QueryError::Server(error) => {
            Failure::from_server(error, &statement.schema, &statement.table)
        }
        QueryError::Io(error) => Failure::unreachable(&error.to_string()),
    })?;
    let mut columns = row.into_iter();
    let (rows, count) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
    Ok(success(plan, rows, count.parse().unwrap_or_default()))
}

fn success(plan: &Plan, rows: String, count: u64) -> Answer {
    let shown = plan.representation || plan.action == Action::Read;
    let status = match plan.action {
        Action::Insert => 201,
        _ if shown => 200,
        _ => 204,
    };
    let mut headers = Vec::new();
    if shown {
        headers.push(("content-type", "application/json; charset=utf-8".to_owned()));
    }
    if matches!(plan.action, Action::Read | Action::Update) {
        let first = if plan.action == Action::Read { plan.offset } else { 0 };
        let range = match count.checked_sub(1) {
            Some(last) => format!("{first}-{}/*", first.saturating_add(last)),
            None => "*/*".to_owned(),
        };
        headers.push(("content-range", range));
    }
    if plan.representation && plan.action != Action::Read {
        headers.push(("preference-applied", "return=representation".to_owned()));
    }
    Answer { status, headers, body: rows }
}
