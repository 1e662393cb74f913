//! Workload identity federation: an id token of another issuer, exchanged for a token of the workspace.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use lakebase_core::{Secret, Timestamp};
use serde_json::Value;

use super::json::integer;
use super::request::encode;

/// `POST {token_uri}`: RFC 8693's token exchange for all APIs, with an id token as the subject.
///
/// `client_id` is the service principal whose federation policy accepts the token. Without it the account's policies
/// select the identity. The fields and their order are those of Databricks' SDK for Python
/// 0.162 (`oidc.py` `_exchange_id_token`, `oauth.py` `retrieve_token`).
#[must_use]
pub(crate) fn token_exchange(
    token_uri: &Uri,
    id_token: &Secret,
    client_id: Option<&str>,
) -> Request<Bytes> {
    let mut fields = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("scope", "all-apis"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", id_token.expose()),
    ];
    fields.extend(client_id.map(|id| ("client_id", id)));
    form(token_uri, &fields)
}

/// `POST` of a form.
pub(crate) fn form(uri: &Uri, fields: &[(&str, &str)]) -> Request<Bytes> {
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    let mut request = Request::new(pairs.collect::<Vec<_>>().join("&").into());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    request
}

/// The expiry in a JSON Web Token (`exp`, RFC 7519 §4.1.4), unverified: for messages, and for services that do not report
/// it. `None` without one.
#[must_use]
pub fn jwt_expiry(token: &Secret) -> Option<Timestamp> {
    let seconds = integer(claims(token)?.get("exp")?)?;
    i64::try_from(seconds).ok()?.checked_mul(1000).map(Timestamp::from_unix_millis)
}

/// The claims of a JSON Web Token, unverified.
pub(crate) fn claims(token: &Secret) -> Option<Value> {
    let payload = token.expose().split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_has_the_fields_of_rfc_8693() {
        let uri = "https://w.example/oidc/v1/token".parse().unwrap();
        let sent = token_exchange(&uri, &Secret::new("a.b+c"), Some("app 1"));
        let body = std::str::from_utf8(sent.body()).unwrap();
        assert_eq!(
            body,
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&scope=all-apis\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
             &subject_token=a.b%2Bc&client_id=app%201"
        );
        let sent = token_exchange(&uri, &Secret::new("a"), None);
        assert!(!std::str::from_utf8(sent.body()).unwrap().contains("client_id"));
        assert_eq!(sent.uri(), &uri);
    }

    #[test]
    fn the_expiry_of_a_token_is_read_where_there_is_one() {
        let jwt = |claims: &str| {
            Secret::new(format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims)))
        };
        let at = |seconds: i64| Some(Timestamp::from_unix_millis(seconds * 1000));
        assert_eq!(jwt_expiry(&jwt(r#"{"exp":1767225600}"#)), at(1_767_225_600));
        assert_eq!(jwt_expiry(&jwt(r#"{"exp":"17"}"#)), at(17));
        for text in [r#"{"exp":true}"#, "{}", "[1]", "nonsense", r#"{"exp":18446744073709551615}"#]
        {
            assert_eq!(jwt_expiry(&jwt(text)), None, "{text}");
        }
        for text in ["", "opaque", "a.b.c", "..", "é.é"] {
            assert_eq!(jwt_expiry(&Secret::new(text)), None, "{text}");
        }
    }
}
