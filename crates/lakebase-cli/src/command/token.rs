//! `lakebase token`: a database token, alone on standard output, e.g. for `PGPASSWORD=$(lakebase token)`.

use serde::Serialize;

use super::connection_parameters::ConnectionParameters;
use crate::cli::Global;
use crate::output::{print_json, print_line};
use crate::progress::{self, ASKING};
use crate::settings::lakebase;

/// The form of `--json`.
#[derive(Serialize)]
struct Token<'a> {
    token: &'a str,
    /// RFC 3339, by the workspace's clock.
    expires_at: String,
    user: &'a str,
    host: &'a str,
    port: u16,
    database: &'a str,
}

pub(crate) async fn run(global: &Global) -> anyhow::Result<()> {
    let lakebase = lakebase(global)?;
    if !global.json {
        let credential = progress::during(global, ASKING, lakebase.credential()).await?;
        return Ok(print_line(credential.token.expose())?);
    }
    let both =
        futures::future::try_join(lakebase.credential(), ConnectionParameters::of(&lakebase));
    let (credential, parameters) = progress::during(global, ASKING, both).await?;
    print_json(&Token {
        token: credential.token.expose(),
        expires_at: credential.expires_at.to_string(),
        user: &parameters.user,
        host: &parameters.host,
        port: parameters.port,
        database: &parameters.database,
    })
}
