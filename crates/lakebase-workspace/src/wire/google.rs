//! Google's token end point, its service for the credentials of service accounts, and its machines' metadata service.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Uri};
use lakebase_core::{Error, Result, Secret, Timestamp};
use serde_json::{Value, json};

use super::federation::{form, jwt_expiry};
use super::json::{parse, protocol, required, take};
use super::request::{encode, get};
use super::services::{bearer, header};
use crate::AccessToken;

/// The scope of the token in `X-Databricks-GCP-SA-Access-Token`.
pub(crate) const SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/compute"];

/// `GET` of the metadata service of a machine on Google Cloud, for the machine's own service account.
pub(crate) fn google_machine_token(host: &str) -> Result<Request<Bytes>> {
    const PATH: &str = "computeMetadata/v1/instance/service-accounts/default/token";
    let mut request = get(&format!("http://{host}/{PATH}"))?;
    header(&mut request, "metadata-flavor", HeaderValue::from_static("Google"));
    Ok(request)
}

/// `POST` of a user's refresh token.
pub(crate) fn google_refresh(
    uri: &Uri,
    client_id: &str,
    client_secret: &Secret,
    refresh_token: &Secret,
) -> Request<Bytes> {
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("client_secret", client_secret.expose()),
        ("refresh_token", refresh_token.expose()),
    ];
    form(uri, &fields)
}

/// `POST` of an assertion that a service account's key signed (RFC 7523).
#[cfg(feature = "google-credentials")]
pub(crate) fn google_assertion(uri: &Uri, assertion: &Secret) -> Request<Bytes> {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    form(uri, &[("assertion", assertion.expose()), ("grant_type", grant)])
}

/// `POST …/serviceAccounts/{account}:generateIdToken`: an id token of `account` for `audience`.
pub(crate) fn google_id_token(
    account: &str,
    audience: &str,
    token: &Secret,
) -> Result<Request<Bytes>> {
    let body = json!({"audience": audience, "delegates": null, "includeEmail": true});
    iam(account, "generateIdToken", &body, token)
}

/// `POST …/serviceAccounts/{account}:generateAccessToken`: an access token of `account`.
pub(crate) fn google_access_token(account: &str, token: &Secret) -> Result<Request<Bytes>> {
    let body = json!({"delegates": null, "scope": SCOPES, "lifetime": "3600s"});
    iam(account, "generateAccessToken", &body, token)
}

fn iam(account: &str, method: &str, body: &Value, token: &Secret) -> Result<Request<Bytes>> {
    const SERVICE: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts";
    let account = encode(account).replace("%40", "@");
    let mut request = get(&format!("{SERVICE}/{account}:{method}"))?;
    *request.method_mut() = Method::POST;
    *request.body_mut() = body.to_string().into();
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    bearer(&mut request, token)?;
    Ok(request)
}

/// Reads an id token from `field` of a reply. The token has its expiry.
pub(crate) fn google_identity(
    body: &[u8],
    field: &str,
    served_at: Option<Timestamp>,
) -> Result<AccessToken> {
    const WHAT: &str = "the id token of Google";
    let token = Secret::new(take(WHAT, &mut parse(WHAT, body)?, field)?);
    let expires_at = jwt_expiry(&token);
    let expires_at = expires_at.ok_or_else(|| protocol(format!("{WHAT} has no `exp`")))?;
    Ok(AccessToken { expires_at: Some(expires_at), served_at, ..AccessToken::new(token) })
}

/// The credentials in a file of Google's tools.
#[derive(Debug)]
pub(crate) enum GoogleFile {
    /// Of a user who logged in with `gcloud auth application-default login`.
    User { client_id: String, client_secret: Secret, refresh_token: Secret },
    /// A service account's key.
    #[cfg(feature = "google-credentials")]
    Key(GoogleKey),
    /// Of another type.
    Other(String),
}

/// A service account's key.
#[cfg(feature = "google-credentials")]
#[derive(Debug)]
pub(crate) struct GoogleKey {
    pub(crate) account: String,
    pub(crate) id: Option<String>,
    pub(crate) key: Secret,
    pub(crate) token_uri: Uri,
}

impl GoogleFile {
    pub(crate) fn read(text: &str) -> Result<Self> {
        const WHAT: &str = "the file of Google's credentials";
        let mut value = parse(WHAT, text.as_bytes())?;
        let kind = required(WHAT, &value, "type")?.to_owned();
        Ok(match kind.as_str() {
            "authorized_user" => Self::User {
                client_id: required(WHAT, &value, "client_id")?.to_owned(),
                client_secret: Secret::new(take(WHAT, &mut value, "client_secret")?),
                refresh_token: Secret::new(take(WHAT, &mut value, "refresh_token")?),
            },
            #[cfg(feature = "google-credentials")]
            "service_account" => Self::Key(GoogleKey {
                account: required(WHAT, &value, "client_email")?.to_owned(),
                id: required(WHAT, &value, "private_key_id").ok().map(str::to_owned),
                token_uri: required(WHAT, &value, "token_uri")?
                    .parse()
                    .map_err(|_| protocol(format!("{WHAT} has a `token_uri` that is not a URL")))?,
                key: Secret::new(take(WHAT, &mut value, "private_key")?),
            }),
            _ => Self::Other(super::clean(&kind)),
        })
    }
}

/// The error for credentials of an unsupported type.
pub(crate) fn google_unsupported(kind: &str, advice: &str) -> Error {
    let text = format!("credentials of Google of the type {kind:?} are not supported; {advice}");
    Error::new(lakebase_core::ErrorKind::Unsupported, text)
}
