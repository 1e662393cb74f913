//! Requests, without the headers of every request of a session.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use lakebase_core::{
    BranchName, ComputeName, CredentialRequest, EndpointName, Error, ErrorKind, ProjectName,
    Result, Secret,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::instance::random_uuid;
use crate::WorkspaceHost;

/// Everything but the unreserved characters of RFC 3986.
pub(super) const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// `GET /api/2.0/postgres/projects`: one page of the projects that the identity may see.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if `page_token` is too long for a URL.
pub(crate) fn list_projects(
    host: &WorkspaceHost,
    page_token: Option<&str>,
) -> Result<Request<Bytes>> {
    list(host, "projects", page_token)
}

/// `GET /api/2.0/postgres/{project}/branches`: one page of a project's branches.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if `page_token` is too long for a URL.
pub(crate) fn list_branches(
    host: &WorkspaceHost,
    project: &ProjectName,
    page_token: Option<&str>,
) -> Result<Request<Bytes>> {
    list(host, &format!("{project}/branches"), page_token)
}

/// `GET /api/2.0/postgres/{branch}/endpoints`: one page of a branch's endpoints.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if `page_token` is too long for a URL.
pub(crate) fn list_endpoints(
    host: &WorkspaceHost,
    branch: &BranchName,
    page_token: Option<&str>,
) -> Result<Request<Bytes>> {
    list(host, &format!("{branch}/endpoints"), page_token)
}

fn list(host: &WorkspaceHost, path: &str, page_token: Option<&str>) -> Result<Request<Bytes>> {
    let query = page_token.map_or(String::new(), |token| format!("?page_token={}", encode(token)));
    get(&format!("{host}/api/2.0/postgres/{path}{query}"))
}

/// `GET /api/2.0/postgres/{endpoint}`: one endpoint.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if the URL would be too long.
pub(crate) fn get_endpoint(
    host: &WorkspaceHost,
    endpoint: &EndpointName,
) -> Result<Request<Bytes>> {
    get(&format!("{host}/api/2.0/postgres/{endpoint}"))
}

/// `GET /api/2.0/database/instances:findByUid`: the instance with this uid.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if the uid is too long for a URL.
pub(crate) fn find_instance(host: &WorkspaceHost, uid: &str) -> Result<Request<Bytes>> {
    get(&format!("{host}/api/2.0/database/instances:findByUid?uid={}", encode(uid)))
}

/// `GET /api/2.0/preview/scim/v2/Me`: the identity of the bearer token.
pub(crate) fn current_user(host: &WorkspaceHost) -> Result<Request<Bytes>> {
    get(&format!("{host}/api/2.0/preview/scim/v2/Me"))
}

/// `POST /api/2.0/postgres/credentials`, or `/api/2.0/database/credentials` for a Provisioned instance: a new
/// database credential.
///
/// `ttl` is sent in whole seconds, rounded up; the service accepts 300 to 3600. Claims with the same
/// permission set are not merged.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a `ttl` with a Provisioned instance, whose API has none.
pub(crate) fn generate_credential(
    host: &WorkspaceHost,
    request: &CredentialRequest,
) -> Result<Request<Bytes>> {
    let (path, mut body) = match &request.compute {
        ComputeName::Endpoint(endpoint) => {
            ("postgres/credentials", json!({ "endpoint": endpoint.as_str() }))
        }
        ComputeName::Instance(instance) => {
            ("database/credentials", instance_credential(instance, request)?)
        }
    };
    if let Some(ttl) = request.ttl {
        body["ttl"] = Value::String(seconds(ttl));
    }
    if !request.claims.is_empty() {
        let claims = request.claims.iter().map(|claim| {
            let resources = claim.tables.iter().map(|table| json!({ "table_name": &**table }));
            json!({
                "permission_set": &*claim.permission_set,
                "resources": resources.collect::<Vec<_>>(),
            })
        });
        body["claims"] = claims.collect();
    }
    let mut request = get(&format!("{host}/api/2.0/{path}"))?;
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Bytes::from(body.to_string());
    Ok(request)
}

fn seconds(ttl: Duration) -> String {
    format!("{}s", ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)))
}

/// The body of a request for a credential for `instance`, without claims.
fn instance_credential(instance: &str, request: &CredentialRequest) -> Result<Value> {
    if request.ttl.is_some() {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "the life of a token for database instance {instance} cannot be chosen; leave the ttl out"
            ),
        ));
    }
    Ok(json!({ "instance_names": [instance], "request_id": random_uuid() }))
}

/// The documented token end point of a workspace, `{host}/oidc/v1/token`.
pub(crate) fn token_uri(host: &WorkspaceHost) -> Result<Uri> {
    Ok(get(&format!("{host}/oidc/v1/token"))?.uri().clone())
}

/// `POST {token_uri}`: OAuth's client credentials grant, for all APIs.
///
/// Id and secret are form-encoded inside HTTP Basic (RFC 6749 §2.3.1).
pub(crate) fn client_credentials(
    token_uri: &Uri,
    client_id: &str,
    client_secret: &Secret,
) -> Result<Request<Bytes>> {
    let basic = format!("Basic {}", basic(client_id, client_secret).expose());
    let mut basic = HeaderValue::try_from(basic).map_err(|error| {
        Error::new(ErrorKind::Config, "the client id or secret cannot be sent").with_source(error)
    })?;
    basic.set_sensitive(true);
    let mut request =
        Request::new(Bytes::from_static(b"grant_type=client_credentials&scope=all-apis"));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = token_uri.clone();
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(AUTHORIZATION, basic);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok(request)
}

/// The HTTP Basic value of this id and secret.
pub(crate) fn basic(client_id: &str, client_secret: &Secret) -> Secret {
    let pair = format!("{}:{}", encode(client_id), encode(client_secret.expose()));
    Secret::new(BASE64_STANDARD.encode(pair))
}

/// `GET /.well-known/databricks-config`: the workspace's OAuth issuer.
pub(crate) fn databricks_config(host: &WorkspaceHost) -> Result<Request<Bytes>> {
    get(&format!("{host}/.well-known/databricks-config"))
}

/// `GET {issuer}/.well-known/oauth-authorization-server`: the issuer's end points; the workspace's own
/// issuer is `{host}/oidc`.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if `issuer` is not a URL.
pub(crate) fn oauth_metadata(issuer: &str) -> Result<Request<Bytes>> {
    get(&format!("{}/.well-known/oauth-authorization-server", issuer.trim_end_matches('/')))
}

pub(super) fn get(uri: &str) -> Result<Request<Bytes>> {
    let request = Request::get(uri).header(ACCEPT, "application/json").body(Bytes::new());
    request.map_err(|error| {
        Error::new(ErrorKind::Protocol, "a request's address is not a URL").with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use lakebase_core::Claim;

    use super::*;

    fn host() -> WorkspaceHost {
        "w.example".parse().unwrap()
    }

    #[test]
    fn names_are_paths_and_page_tokens_are_encoded() {
        let branch: BranchName = "projects/p/branches/b".parse().unwrap();
        let first = list_endpoints(&host(), &branch, None).unwrap();
        assert_eq!(
            first.uri(),
            "https://w.example/api/2.0/postgres/projects/p/branches/b/endpoints"
        );
        let next = list_endpoints(&host(), &branch, Some("a+b/c=&d é")).unwrap();
        assert_eq!(next.uri().query(), Some("page_token=a%2Bb%2Fc%3D%26d%20%C3%A9"));
        let one = get_endpoint(&host(), &EndpointName::new(&branch, "e").unwrap()).unwrap();
        assert_eq!(one.uri().path(), "/api/2.0/postgres/projects/p/branches/b/endpoints/e");
        assert_eq!(one.headers()[ACCEPT], "application/json");
    }

    #[test]
    fn credential_requests_name_the_endpoint_and_what_else_was_asked() {
        let endpoint: EndpointName = "projects/p/branches/b/endpoints/e".parse().unwrap();
        let mut request = CredentialRequest::new(endpoint);
        let body = |request: &CredentialRequest| {
            let sent = generate_credential(&host(), request).unwrap();
            assert_eq!(sent.method(), Method::POST);
            assert_eq!(sent.headers()[CONTENT_TYPE], "application/json");
            serde_json::from_slice::<Value>(sent.body()).unwrap()
        };
        assert_eq!(body(&request), json!({ "endpoint": "projects/p/branches/b/endpoints/e" }));
        request.ttl = Some(Duration::from_millis(300_001));
        request.claims =
            vec![Claim { permission_set: "READ_ONLY".into(), tables: vec!["c.s.t".into()] }];
        assert_eq!(
            body(&request),
            json!({
                "endpoint": "projects/p/branches/b/endpoints/e",
                "ttl": "301s",
                "claims": [{ "permission_set": "READ_ONLY", "resources": [{ "table_name": "c.s.t" }] }],
            })
        );
    }

    #[test]
    fn client_id_and_secret_are_encoded_and_sensitive() {
        let uri = token_uri(&host()).unwrap();
        let request = client_credentials(&uri, "id:1", &Secret::new("sé c")).unwrap();
        let basic = &request.headers()[AUTHORIZATION];
        let sent = basic.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(BASE64_STANDARD.decode(sent).unwrap(), b"id%3A1:s%C3%A9%20c");
        assert!(basic.is_sensitive());
        assert!(!format!("{request:?}").contains(sent));
        assert_eq!(request.uri(), "https://w.example/oidc/v1/token");
    }
}
