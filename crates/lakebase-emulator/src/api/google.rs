//! Google's token end point and its service for the credentials of service accounts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use super::reply::{Issuance, Reply, refuse};
use crate::request::{Request, form_value};
use crate::state::State;
use crate::token::{TokenFor, TokenUse};

/// A key that is worth nothing: the service account's, whom only the emulator knows.
pub(crate) const KEY: &str = include_str!("../google_key.pem");

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// `POST /token`: a refresh token or a signed assertion, for an access token or an id token.
pub(super) fn oauth(state: &mut State, issuance: Issuance, request: &Request) -> Reply {
    let form = String::from_utf8_lossy(&request.body).into_owned();
    let field = |name| form_value(&form, name).unwrap_or_default();
    match field("grant_type").as_str() {
        "refresh_token" if field("refresh_token") == state.credentials.request_token => {}
        JWT_BEARER => {
            let Some(claims) = asserted(&field("assertion")) else {
                return refuse(400, "invalid_grant", "Invalid JWT Signature.");
            };
            let issuer = claims.get("iss").and_then(Value::as_str);
            if issuer != Some(state.credentials.service_account.as_str()) {
                return refuse(400, "invalid_grant", "Invalid grant: account not found");
            }
            if let Some(audience) = claims.get("target_audience").and_then(Value::as_str) {
                return Reply::ok(json!({"id_token": id_token(state, issuance, audience)}));
            }
        }
        _ => return refuse(400, "invalid_grant", "Bad Request"),
    }
    access_token(state, issuance)
}

pub(super) fn access_token(state: &mut State, issuance: Issuance) -> Reply {
    let token = issuance.issue(state, TokenFor::Google, "");
    Reply::ok(json!({
        "access_token": token, "expires_in": issuance.lifetime.as_secs(), "token_type": "Bearer",
    }))
}

/// An id token; the workspace takes one that was issued for it.
fn id_token(state: &mut State, issuance: Issuance, audience: &str) -> String {
    let for_us = audience.trim_end_matches('/') == state.host;
    let what = if for_us { TokenFor::GoogleService } else { TokenFor::Google };
    issuance.issue(state, what, audience)
}

/// The claims of an assertion that was signed with [`KEY`].
fn asserted(assertion: &str) -> Option<Value> {
    let (message, signature) = assertion.rsplit_once('.')?;
    let der: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(der).ok()?;
    let pair = RsaKeyPair::from_pkcs8(&der).ok()?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    key.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let (_, claims) = message.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// `POST …/serviceAccounts/{account}:generateIdToken` and `:generateAccessToken`, for the holder of a token
/// of Google's.
pub(super) fn iam(state: &mut State, issuance: Issuance, request: &Request) -> Reply {
    let bearer = request.bearer().unwrap_or_default();
    if state.verify(bearer, TokenUse::Google, issuance.now).is_none()
        || request.bearer() == Some("")
    {
        return google_error(401, "UNAUTHENTICATED", "Request had invalid credentials.");
    }
    let target = request.path.rsplit('/').next().unwrap_or_default();
    let Some((account, method)) = target.split_once(':') else {
        return google_error(404, "NOT_FOUND", "No such method.");
    };
    let account = account.replace("%40", "@");
    if account != state.credentials.service_account {
        return google_error(
            403,
            "PERMISSION_DENIED",
            "Permission 'iam.serviceAccounts.getOpenIdToken' denied",
        );
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match method {
        "generateIdToken" => {
            let audience = body.get("audience").and_then(Value::as_str).unwrap_or_default();
            Reply::ok(json!({"token": id_token(state, issuance, audience)}))
        }
        "generateAccessToken" => Reply::ok(json!({
            "accessToken": issuance.issue(state, TokenFor::Google, ""),
            "expireTime": issuance.expire_time(),
        })),
        _ => google_error(404, "NOT_FOUND", "No such method."),
    }
}

fn google_error(code: u16, status: &str, message: &str) -> Reply {
    let error = json!({"code": code, "message": message, "status": status});
    Reply { json: json!({"error": error}), ..Reply::empty(code) }
}
