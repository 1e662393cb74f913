//! Requests to other token services than the workspace, and the common part of their replies.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use lakebase_core::{Error, ErrorKind, Result, Secret};
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::json::{parse, take};
use super::request::get;

/// The characters that are not encoded in a query, so that a URL as audience is sent as by the SDKs.
const RESERVED: &AsciiSet = &super::request::RESERVED.remove(b':').remove(b'/').remove(b'@');

/// `GET {url}&audience={audience}`: GitHub's token service.
pub(crate) fn github_id_token(url: &str, token: &Secret, audience: &str) -> Result<Request<Bytes>> {
    let separator = if url.contains('?') { '&' } else { '?' };
    let audience = utf8_percent_encode(audience, RESERVED);
    let mut request = get(&format!("{url}{separator}audience={audience}"))?;
    bearer(&mut request, token)?;
    Ok(request)
}

/// `POST` to Azure DevOps' token service, without a body.
pub(crate) fn azure_devops_id_token(uri: &Uri, token: &Secret) -> Result<Request<Bytes>> {
    let mut request = get(&uri.to_string())?;
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    bearer(&mut request, token)?;
    Ok(request)
}

/// Sends `token` as the bearer token of `request`.
pub(crate) fn bearer(request: &mut Request<Bytes>, token: &Secret) -> Result<()> {
    let text = Secret::new(format!("Bearer {}", token.expose()));
    request.headers_mut().insert(AUTHORIZATION, sensitive(&text)?);
    Ok(())
}

/// A sensitive header value.
pub(crate) fn sensitive(secret: &Secret) -> Result<HeaderValue> {
    // The cause is left out, because it might quote the value.
    let mut value = HeaderValue::try_from(secret.expose())
        .map_err(|_| Error::new(ErrorKind::Config, "a token has characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A header with a fixed name.
pub(crate) fn header(request: &mut Request<Bytes>, name: &'static str, value: HeaderValue) {
    request.headers_mut().insert(HeaderName::from_static(name), value);
}

/// The token in `field` of a reply.
pub(crate) fn taken(service: &str, body: &[u8], field: &str) -> Result<Secret> {
    let what = format!("the reply of the token service of {service}");
    Ok(Secret::new(take(&what, &mut parse(&what, body)?, field)?))
}
