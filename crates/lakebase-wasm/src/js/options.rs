//! Options of JavaScript's objects.
//!
//! Every property is read once. Getters and proxies may throw. No value is quoted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use js_sys::{Array, Function, Promise};
use lakebase_core::{Access, BoxFuture, Claim, Error, ErrorKind, Result, Secret};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::values::Properties;
use crate::settings::{below, target, wrong};
use crate::{Identity, Settings, TokenProvider};

const NAMES: &str = "host endpoint project branch workspaceId user pgHost database readOnly ttl timeout claims \
                     clientId clientSecret token tokenProvider oidcToken";

/// Reads the options of `new LakebaseCredentials` and `mintDatabaseCredential`.
pub(super) fn settings(options: &JsValue) -> Result<Settings> {
    if !options.is_object() {
        return Err(wrong(
            "options",
            "accepted: an object such as { host, clientId, clientSecret, endpoint }",
        ));
    }
    let options = &Properties::read(options, NAMES)?;
    let host = options.text("host")?;
    let host = host.ok_or_else(|| wrong("host", "accepted: the workspace's address"))?;
    let host = host.parse().map_err(|error: Error| below(&error, "option `host`"))?;
    let (endpoint, project) = (options.text("endpoint")?, options.text("project")?);
    let branch = options.text("branch")?;
    let target = target(endpoint.as_deref(), project.as_deref(), branch.as_deref())?;
    let mut settings = Settings::new(host, identity(options)?, target);
    let shared = |name| Ok::<_, Error>(options.text(name)?.map(Arc::<str>::from));
    settings.workspace_id = shared("workspaceId")?;
    settings.user = shared("user")?;
    settings.pg_host = shared("pgHost")?;
    if let Some(database) = shared("database")? {
        settings.database = database;
    }
    settings.access = match options.get("readOnly") {
        None => Access::ReadWrite,
        Some(value) => match value.as_bool() {
            Some(true) => Access::ReadOnly,
            Some(false) => Access::ReadWrite,
            None => return Err(wrong("readOnly", "accepted: true or false")),
        },
    };
    settings.ttl = number(options, "ttl", "accepted: 300 to 3600 seconds", 1000.0)?;
    let timeout = number(options, "timeout", "accepted: 100 to 60000 milliseconds", 1.0)?;
    settings.timeout = timeout.unwrap_or(settings.timeout);
    settings.claims = claims(options)?;
    settings.check()?;
    Ok(settings)
}

#[inline(never)]
fn identity(options: &Properties) -> Result<Identity> {
    const ONE: &str = "accepted: one of `clientId` with `clientSecret`, `token`, `tokenProvider`, or `oidcToken` perhaps with `clientId`";
    let (id, secret) = (options.text("clientId")?, options.text("clientSecret")?);
    let (token, provider) = (options.text("token")?, options.get("tokenProvider"));
    match (id, secret, token, provider, options.get("oidcToken")) {
        (Some(id), Some(secret), None, None, None) => Ok(Identity::ServicePrincipal {
            client_id: id.into(),
            client_secret: Secret::new(secret),
        }),
        (None, None, Some(token), None, None) => Ok(Identity::Token(Secret::new(token))),
        (None, None, None, Some(provider), None) => {
            Ok(Identity::Provider(function(provider, "tokenProvider")?))
        }
        (id, None, None, None, Some(id_tokens)) => Ok(Identity::Federated {
            client_id: id.map(Arc::from),
            id_tokens: function(id_tokens, "oidcToken")?,
        }),
        (Some(_), None, None, None, None) => Err(wrong("clientSecret", ONE)),
        (None, _, None, None, None) => Err(wrong("clientId", ONE)),
        _ => Err(Error::new(
            ErrorKind::Config,
            format!("the options name more than one identity; {ONE}"),
        )),
    }
}

fn function(value: &JsValue, name: &'static str) -> Result<Arc<dyn TokenProvider>> {
    match value.clone().dyn_into::<Function>() {
        Ok(function) => Ok(Arc::new(Provider { function, name })),
        Err(_) => Err(wrong(name, "accepted: a function that returns a token or a promise of one")),
    }
}

#[inline(never)]
fn claims(options: &Properties) -> Result<Vec<Claim>> {
    const ACCEPTED: &str =
        "accepted: [{ permissionSet: \"READ_ONLY\", tables: [\"catalog.schema.table\"] }]";
    let Some(list) = options.get("claims") else { return Ok(Vec::new()) };
    if !Array::is_array(list) {
        return Err(wrong("claims", ACCEPTED));
    }
    let mut claims = Vec::new();
    for claim in Array::from(list) {
        if !claim.is_object() {
            return Err(wrong("claims", ACCEPTED));
        }
        let claim = Properties::read(&claim, "tables permissionSet")?;
        let tables = claim.get("tables").filter(|tables| Array::is_array(tables));
        let tables = Array::from(tables.ok_or_else(|| wrong("claims", ACCEPTED))?);
        let tables: Option<Vec<Arc<str>>> =
            tables.iter().map(|table| table.as_string().map(Arc::from)).collect();
        let permission_set = claim.text("permissionSet")?;
        match (permission_set, tables) {
            (Some(set), Some(tables)) if !set.is_empty() && !tables.is_empty() => {
                claims.push(Claim { permission_set: set.into(), tables });
            }
            _ => return Err(wrong("claims", ACCEPTED)),
        }
    }
    Ok(claims)
}

/// A whole number of milliseconds after multiplication with `unit`.
#[inline(never)]
fn number(options: &Properties, name: &str, accepted: &str, unit: f64) -> Result<Option<Duration>> {
    let Some(value) = options.get(name) else { return Ok(None) };
    let value =
        value.as_f64().map(|value| value * unit).filter(|millis| (0.0..1e12).contains(millis));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let value = value.map(|millis| Duration::from_millis(millis as u64));
    value.map(Some).ok_or_else(|| wrong(name, accepted))
}

/// A function of the application that returns a token, and the option that holds it.
struct Provider {
    function: Function,
    name: &'static str,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl TokenProvider for Provider {
    fn token(&self) -> BoxFuture<'_, Result<Secret>> {
        Box::pin(async move {
            let say = |kind, what: &str| Error::new(kind, ["`", self.name, what].concat());
            // The exception is dropped: it may quote a token.
            let failed = |_| say(ErrorKind::Unavailable, "` threw or was rejected");
            let given = self.function.call0(&JsValue::UNDEFINED).map_err(failed)?;
            let given = JsFuture::from(Promise::resolve(&given)).await.map_err(failed)?;
            let token = given.as_string().filter(|token| !token.is_empty());
            token.map(Secret::new).ok_or_else(|| {
                let text = "` returned something else than a token; accepted: a string";
                say(ErrorKind::Config, text)
            })
        })
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
