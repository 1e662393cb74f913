//! The login itself, whom it made us, and a query.

use std::io;

use lakebase::sqlx::{self, Connection as _, PgConnection, Row as _};
use lakebase::{Error, ErrorKind, Lakebase};
use lakebase_session::refusal;

use super::fault::{Fault, certificate_fault};
use super::report::{Examined, Finding, Report};
use crate::cli::Global;
use crate::{failure, progress};

/// Asks for the role, the database and the access of the login.
const WHO: &str = "select current_user::text as role, current_database()::text as database, \
     current_setting('server_version') as version, \
     current_setting('transaction_read_only') = 'on' as read_only, \
     has_database_privilege(current_database(), 'CREATE') as may_create";

pub(super) async fn examine(
    report: &mut Report<'_>,
    global: &Global,
    lakebase: &Lakebase,
) -> io::Result<()> {
    let login = progress::logging_in(global, lakebase, login(lakebase));
    let Some(mut connection) = report.step_with_progress("login", login).await? else {
        report.skip(&["role", "query"], "nobody is logged in")?;
        return Ok(());
    };
    report.step("role", role(&mut connection)).await?;
    report.step("query", query(&mut connection)).await?;
    // The answers have come; an error of closing does not matter.
    let _ = connection.close().await;
    Ok(())
}

/// With all the patience of the connector: a compute that sleeps is woken.
async fn login(lakebase: &Lakebase) -> Examined<PgConnection> {
    match lakebase.connect().await {
        Ok(connection) => Ok((connection, format!("accepted, sslmode {}", mode(lakebase).await))),
        Err(error) => {
            let fault = fault(&error);
            Err(Finding::new(fault, failure::line(&error.into())))
        }
    }
}

/// How the server was verified, and whether that is more than what is configured.
async fn mode(lakebase: &Lakebase) -> String {
    let connector = lakebase.connector();
    let configured = connector.config().tls.mode;
    // It is known, now that a login went there.
    match connector.host().await.map(|host| connector.ssl_mode_to(&host)) {
        Ok(mode) if mode != configured => {
            format!("{mode} (raised from {configured}, because a token was sent)")
        }
        _ => configured.to_string(),
    }
}

fn fault(error: &Error) -> Fault {
    let refusal = refusal(error);
    let code = refusal.map_or("", |refusal| &refusal.sqlstate);
    let message = refusal.map_or(String::new(), |refusal| refusal.message.to_lowercase());
    let is_network = ["ip ", "network", "pg_hba"].iter().any(|word| message.contains(word));
    match error.kind() {
        ErrorKind::NotFound if code == "3D000" => Fault::DatabaseMissing,
        ErrorKind::NotFound if message.contains("role") => Fault::RoleMissing,
        ErrorKind::NotFound if message.contains("endpoint") => Fault::EndpointNotFound,
        ErrorKind::LoginRefused | ErrorKind::Unauthenticated => Fault::LoginRefused,
        ErrorKind::PermissionDenied if is_network => Fault::AddressBlocked,
        ErrorKind::Disabled => Fault::EndpointDisabled,
        ErrorKind::Tls => certificate_fault(error).unwrap_or(Fault::TlsFailed),
        _ if code == "53300" || message.contains("too many connections") => {
            Fault::TooManyConnections
        }
        _ if error.is_transient() => Fault::EndpointNotReady,
        _ => Fault::LoginFailed,
    }
}

async fn role(connection: &mut PgConnection) -> Examined<()> {
    let failed =
        |error: sqlx::Error| Finding::new(Fault::QueryFailed, failure::line(&error.into()));
    let row = sqlx::query(WHO).fetch_one(connection).await.map_err(failed)?;
    let text = |name: &str| row.try_get::<String, _>(name).map_err(failed);
    let is = |name: &str| row.try_get::<bool, _>(name).map_err(failed);
    let access = if is("read_only")? { "read-only" } else { "read-write" };
    let create = if is("may_create")? { "may" } else { "may not" };
    let (role, database, version) = (text("role")?, text("database")?, text("version")?);
    let detail =
        format!("{role} in {database}, {access}, {create} create schemas; PostgreSQL {version}");
    Ok(((), detail))
}

async fn query(connection: &mut PgConnection) -> Examined<()> {
    match sqlx::query_scalar::<_, i32>("select 1").fetch_one(connection).await {
        Ok(1) => Ok(((), "select 1".to_owned())),
        Ok(other) => {
            Err(Finding::new(Fault::QueryFailed, format!("select 1 was answered with {other}")))
        }
        Err(error) => Err(Finding::new(Fault::QueryFailed, failure::line(&error.into()))),
    }
}
