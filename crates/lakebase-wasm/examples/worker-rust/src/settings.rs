//! What the worker's variables and secrets say.

use lakebase_core::{Error, ErrorKind, Secret};
use lakebase_wasm::{Identity, Settings, target};
use worker::Env;

/// The workspace, the service principal, and the endpoint.
pub(crate) fn read(env: &Env) -> Result<Settings, Error> {
    let identity = Identity::ServicePrincipal {
        client_id: required(env, "DATABRICKS_CLIENT_ID")?.into(),
        client_secret: Secret::new(required(env, "DATABRICKS_CLIENT_SECRET")?),
    };
    let target = target(Some(&required(env, "LAKEBASE_ENDPOINT")?), None, None)?;
    let mut settings = Settings::new(required(env, "DATABRICKS_HOST")?.parse()?, identity, target);
    settings.pg_host = optional(env, "PGHOST").map(Into::into);
    if let Some(database) = optional(env, "PGDATABASE") {
        settings.database = database.into();
    }
    Ok(settings)
}

/// A variable or secret that must be there.
fn required(env: &Env, name: &str) -> Result<String, Error> {
    optional(env, name).ok_or_else(|| {
        let text = format!(
            "{name} is not set; set it in wrangler.toml or with `wrangler secret put {name}`"
        );
        Error::new(ErrorKind::Config, text)
    })
}

/// A variable or secret; an empty one counts as none.
pub(crate) fn optional(env: &Env, name: &str) -> Option<String> {
    env.var(name).ok().map(|value| value.to_string()).filter(|value| !value.is_empty())
}
