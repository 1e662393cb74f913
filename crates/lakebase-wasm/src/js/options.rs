//! Options as JavaScript writes them.
//!
//! Every property is read once, getters and proxies may throw, and nothing of what they hold is quoted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use js_sys::{Array, Function, Promise, Reflect};
use lakebase_core::{Access, BoxFuture, Claim, Error, ErrorKind, Result, Secret};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::settings::{below, target, wrong};
use crate::{Identity, Settings, TokenProvider};

/// Reads the options of `new LakebaseCredentials` and `mintDatabaseCredential`.
pub(super) fn settings(options: &JsValue) -> Result<Settings> {
    if !options.is_object() {
        return Err(wrong(
            "options",
            "accepted: an object such as { host, clientId, clientSecret, endpoint }",
        ));
    }
    let host = text(options, "host")?;
    let host = host.ok_or_else(|| wrong("host", "accepted: the workspace's address"))?;
    let host = host.parse().map_err(|error: Error| below(&error, "option `host`"))?;
    let (endpoint, project) = (text(options, "endpoint")?, text(options, "project")?);
    let branch = text(options, "branch")?;
    let target = target(endpoint.as_deref(), project.as_deref(), branch.as_deref())?;
    let mut settings = Settings::new(host, identity(options)?, target);
    let shared = |name| Ok::<_, Error>(text(options, name)?.map(Arc::<str>::from));
    settings.workspace_id = shared("workspaceId")?;
    settings.user = shared("user")?;
    settings.pg_host = shared("pgHost")?;
    if let Some(database) = shared("database")? {
        settings.database = database;
    }
    settings.access = match get(options, "readOnly")? {
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
fn identity(options: &JsValue) -> Result<Identity> {
    const ONE: &str =
        "accepted: one of `clientId` with `clientSecret`, `token`, or `tokenProvider`";
    let (id, secret) = (text(options, "clientId")?, text(options, "clientSecret")?);
    let (token, provider) = (text(options, "token")?, get(options, "tokenProvider")?);
    match (id, secret, token, provider) {
        (Some(id), Some(secret), None, None) => Ok(Identity::ServicePrincipal {
            client_id: id.into(),
            client_secret: Secret::new(secret),
        }),
        (None, None, Some(token), None) => Ok(Identity::Token(Secret::new(token))),
        (None, None, None, Some(provider)) => match provider.dyn_into::<Function>() {
            Ok(provider) => Ok(Identity::Provider(Arc::new(Provider(provider)))),
            Err(_) => Err(wrong(
                "tokenProvider",
                "accepted: a function that returns a token or a promise of one",
            )),
        },
        (Some(_), None, None, None) => Err(wrong("clientSecret", ONE)),
        (None, Some(_), None, None) => Err(wrong("clientId", ONE)),
        (None, None, None, None) => Err(wrong("clientId", ONE)),
        _ => Err(Error::new(
            ErrorKind::Config,
            format!("the options name more than one identity; {ONE}"),
        )),
    }
}

#[inline(never)]
fn claims(options: &JsValue) -> Result<Vec<Claim>> {
    const ACCEPTED: &str =
        "accepted: [{ permissionSet: \"READ_ONLY\", tables: [\"catalog.schema.table\"] }]";
    let Some(list) = get(options, "claims")? else { return Ok(Vec::new()) };
    if !Array::is_array(&list) {
        return Err(wrong("claims", ACCEPTED));
    }
    let mut claims = Vec::new();
    for claim in Array::from(&list) {
        let tables = if claim.is_object() { get(&claim, "tables")? } else { None };
        let tables = tables.filter(Array::is_array).ok_or_else(|| wrong("claims", ACCEPTED))?;
        let tables: Option<Vec<Arc<str>>> =
            Array::from(&tables).iter().map(|table| table.as_string().map(Arc::from)).collect();
        let permission_set = text(&claim, "permissionSet")?;
        match (permission_set, tables) {
            (Some(set), Some(tables)) if !set.is_empty() && !tables.is_empty() => {
                claims.push(Claim { permission_set: set.into(), tables });
            }
            _ => return Err(wrong("claims", ACCEPTED)),
        }
    }
    Ok(claims)
}

/// A property that is there: not `undefined` and not `null`.
#[inline(never)]
pub(super) fn get(object: &JsValue, name: &str) -> Result<Option<JsValue>> {
    let value = Reflect::get(object, &name.into())
        .map_err(|_| wrong(name, "reading it threw an exception"))?;
    Ok((!value.is_undefined() && !value.is_null()).then_some(value))
}

#[inline(never)]
fn text(object: &JsValue, name: &str) -> Result<Option<String>> {
    let Some(value) = get(object, name)? else { return Ok(None) };
    match value.as_string() {
        Some(text) if !text.trim().is_empty() => Ok(Some(text)),
        _ => Err(wrong(name, "accepted: a string that is not empty")),
    }
}

/// A whole number of milliseconds after multiplication with `unit`.
#[inline(never)]
fn number(object: &JsValue, name: &str, accepted: &str, unit: f64) -> Result<Option<Duration>> {
    let Some(value) = get(object, name)? else { return Ok(None) };
    let value =
        value.as_f64().map(|value| value * unit).filter(|millis| (0.0..1e12).contains(millis));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let value = value.map(|millis| Duration::from_millis(millis as u64));
    value.map(Some).ok_or_else(|| wrong(name, accepted))
}

/// A function of the application that returns a workspace token.
struct Provider(Function);

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tokenProvider")
    }
}

impl TokenProvider for Provider {
    fn token(&self) -> BoxFuture<'_, Result<Secret>> {
        Box::pin(async move {
            // What it throws is dropped: it may quote a token.
            let failed =
                |_| Error::new(ErrorKind::Unavailable, "`tokenProvider` threw or was rejected");
            let given = self.0.call0(&JsValue::UNDEFINED).map_err(failed)?;
            let given = JsFuture::from(Promise::resolve(&given)).await.map_err(failed)?;
            let token = given.as_string().filter(|token| !token.is_empty());
            let text = "`tokenProvider` returned something else than a token; accepted: a string";
            token.map(Secret::new).ok_or_else(|| Error::new(ErrorKind::Config, text))
        })
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
