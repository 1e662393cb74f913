//! Entra, the metadata services of machines, and the output of the Azure CLI.

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Request, Response, Uri};
use lakebase_core::{Error, ErrorKind, Result, Secret, Timestamp};
use serde_json::Value;

use super::federation::{claims, form, jwt_expiry};
use super::json::{integer, missing, parse, text};
use super::reply::bearer;
use super::request::{encode, get};
use super::services::header;
use crate::{AccessToken, WorkspaceHost};

/// `GET {host}/aad/auth`, which redirects to the log-in of the workspace's tenant.
pub(crate) fn azure_login(host: &WorkspaceHost) -> Result<Request<Bytes>> {
    get(&format!("{host}/aad/auth"))
}

/// The tenant in the redirect of [`azure_login`]: the first part of its path.
pub(crate) fn azure_tenant(reply: &Response<Bytes>) -> Option<String> {
    if !reply.status().is_redirection() {
        return None;
    }
    let location = reply.headers().get(LOCATION)?.to_str().ok()?.parse::<Uri>().ok()?;
    location.host()?;
    location.path().split('/').nth(1).map(str::to_owned)
}

/// `POST {login}{tenant}/oauth2/token`: Entra's client credentials grant (version 1, by resource).
pub(crate) fn entra_token(
    login: &str,
    tenant: &str,
    resource: &str,
    client_id: &str,
    client_secret: &Secret,
) -> Result<Request<Bytes>> {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "all-apis"),
        ("resource", resource),
        ("client_id", client_id),
        ("client_secret", client_secret.expose()),
    ];
    Ok(form(&entra(login, tenant)?, &fields))
}

/// The same with an id token of another issuer instead of the secret.
pub(crate) fn entra_exchange(
    login: &str,
    tenant: &str,
    resource: &str,
    client_id: &str,
    id_token: &Secret,
) -> Result<Request<Bytes>> {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "all-apis"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("resource", resource),
        ("client_assertion", id_token.expose()),
        ("client_id", client_id),
    ];
    Ok(form(&entra(login, tenant)?, &fields))
}

/// Entra's token end point (version 1) of a tenant.
fn entra(login: &str, tenant: &str) -> Result<Uri> {
    format!("{login}{}/oauth2/token", encode(tenant)).parse().map_err(|_| {
        let problem = "azure_tenant_id (ARM_TENANT_ID) is not the id of a tenant";
        Error::new(ErrorKind::Config, problem)
    })
}

/// `GET` of the metadata service of a machine on Azure.
pub(crate) fn azure_machine_token(
    resource: &str,
    client_id: Option<&str>,
) -> Result<Request<Bytes>> {
    const SERVICE: &str =
        "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";
    let mut uri = format!("{SERVICE}&resource={}", encode(resource));
    if let Some(id) = client_id {
        uri.push_str(&format!("&client_id={}", encode(id)));
    }
    let mut request = get(&uri)?;
    header(&mut request, "metadata", HeaderValue::from_static("true"));
    Ok(request)
}

/// `GET {uri}`.
pub(crate) fn get_uri(uri: &Uri) -> Result<Request<Bytes>> {
    get(&uri.to_string())
}

/// Reads the reply of a metadata service: `access_token`, and `expires_on` in seconds since 1970.
pub(crate) fn machine_token(body: &[u8], served_at: Option<Timestamp>) -> Result<AccessToken> {
    const WHAT: &str = "the token of the metadata service";
    let mut value = parse(WHAT, body)?;
    let token = bearer(WHAT, &mut value)?;
    let expires_at = moment(&value, "expires_on").ok_or_else(|| missing(WHAT, "expires_on"))?;
    Ok(AccessToken { expires_at: Some(expires_at), served_at, ..AccessToken::new(token) })
}

fn moment(value: &Value, field: &str) -> Option<Timestamp> {
    let seconds = i64::try_from(integer(value.get(field)?)?).ok()?;
    seconds.checked_mul(1000).map(Timestamp::from_unix_millis)
}

/// Whether the output of `az account show` shows a managed identity.
pub(crate) fn azure_cli_is_managed(stdout: &Secret) -> bool {
    let Ok(value) = parse("the output of `az account show`", stdout.expose().as_bytes()) else {
        return false;
    };
    let user = value.get("user").unwrap_or(&Value::Null);
    let name = text(user, "name").unwrap_or_default();
    text(user, "type") == Some("servicePrincipal")
        && ["systemAssignedIdentity", "userAssignedIdentity"].contains(&name)
}

/// Reads the output of `az account get-access-token`.
pub(crate) fn azure_cli_token(stdout: &Secret) -> Result<AccessToken> {
    const WHAT: &str = "the output of `az account get-access-token`";
    let mut value = parse(WHAT, stdout.expose().as_bytes())?;
    let token = Secret::new(super::json::take(WHAT, &mut value, "accessToken")?);
    let expires_at = moment(&value, "expires_on").or_else(|| jwt_expiry(&token));
    let expires_at = expires_at.ok_or_else(|| {
        missing(WHAT, "expires_on").context("the Azure CLI is older than 2.54; update it")
    })?;
    Ok(AccessToken { expires_at: Some(expires_at), ..AccessToken::new(token) })
}

/// Whether a token of Entra is a user's, which only has the claim `upn`.
pub(crate) fn jwt_names_a_person(token: &Secret) -> bool {
    claims(token).is_some_and(|claims| claims.get("upn").is_some())
}
