//! Tokens in exchange for an assertion that a service account's key signs (RFC 7523).

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use lakebase_core::{Error, ErrorKind, Result, Secret};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use super::AccessToken;
use super::service::Service;
use crate::wire::{self, GoogleKey};

/// The lifetime of an assertion, as in Google's libraries.
const LIFETIME: i64 = 3600;

/// The audience of an assertion, also if the key names another end point.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// An access token of the account, for `scope`.
pub(super) async fn access_token(
    service: &Service,
    key: &GoogleKey,
    scope: &str,
) -> Result<AccessToken> {
    let (request, assertion) = request(service, key, ("scope", scope))?;
    service.oauth_token(request, &[assertion]).await
}

/// An id token of the account, for `audience`.
pub(super) async fn id_token(
    service: &Service,
    key: &GoogleKey,
    audience: &str,
) -> Result<AccessToken> {
    let (request, assertion) = request(service, key, ("target_audience", audience))?;
    let reply = service.ask(request, &[assertion]).await?;
    wire::google_identity(reply.body(), "id_token", wire::served_at(reply.headers()))
}

/// A request with an assertion of this claim, and the assertion.
fn request(
    service: &Service,
    key: &GoogleKey,
    claim: (&str, &str),
) -> Result<(Request<Bytes>, Secret)> {
    let now = service.runtime.clock.wall().as_unix_millis() / 1000;
    let assertion = sign(key, now, claim)?;
    Ok((wire::google_assertion(&key.token_uri, &assertion), assertion))
}

/// A JSON Web Token by RS256 (RFC 7515, RFC 7518 §3.3).
fn sign(key: &GoogleKey, now: i64, (name, value): (&str, &str)) -> Result<Secret> {
    let unusable = || {
        let text = format!("the private key of {} is not an RSA key in PKCS #8", key.account);
        Error::new(ErrorKind::Config, text)
    };
    let pem = key.key.expose().lines().filter(|line| !line.starts_with("-----"));
    let der = Secret::new(pem.map(str::trim).collect::<String>());
    let der = BASE64_STANDARD.decode(der.expose()).map_err(|_| unusable())?;
    let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| unusable())?;
    let mut header = json!({"typ": "JWT", "alg": "RS256"});
    if let Some(id) = &key.id {
        header["kid"] = Value::from(id.as_str());
    }
    let claims = json!({
        "iat": now, "exp": now + LIFETIME, "iss": key.account, "aud": AUDIENCE, name: value,
    });
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&header), encode(&claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
        .map_err(|_| unusable())?;
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
    Ok(Secret::new(format!("{message}.{signature}")))
}
