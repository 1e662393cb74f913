//! The calls: what is sent, how replies are read, and how refused tokens are replaced.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::oneshot;
use futures::future;
use http::{Request, Response};
use lakebase_core::{
    Access, CredentialRequest, CredentialSource, DatabaseCredential, Endpoint, EndpointResolver,
    EndpointType, ErrorKind, HttpClient, Result, Runtime, UserResolver,
};
use lakebase_testkit::{FakeSpawn, fake_runtime};
use lakebase_workspace::WorkspaceClient;

use crate::support::*;

const BRANCH: &str = "projects/p/branches/b";
const ENDPOINT: &str = "projects/p/branches/b/endpoints/e";
const CREDENTIAL: &str = r#"{"token":"db-secret","expire_time":"2026-01-01T01:00:00Z"}"#;

fn request() -> CredentialRequest {
    CredentialRequest::new(ENDPOINT.parse().unwrap())
}

/// Asks for a credential of [`ENDPOINT`].
fn mint(client: &WorkspaceClient) -> Result<DatabaseCredential> {
    run(CredentialSource::fetch(client, &request()))
}

/// The endpoint of `target` for reading and writing.
fn resolve(client: &WorkspaceClient, target: &str) -> Result<Endpoint> {
    run(EndpointResolver::resolve(client, &target.parse().unwrap(), Access::ReadWrite))
}

/// Tokens, and `answer` for all else.
fn with_tokens(seen: &Seen, answer: Option<Answer>) -> Option<Answer> {
    if seen.path() == "/oidc/v1/token" { token(seen) } else { answer }
}

#[test]
fn a_credential_costs_one_token_and_one_request() {
    let (client, http) = scripted(M2M, |seen| match seen.path() {
        "/oidc/v1/token" => token(seen),
        "/api/2.0/postgres/credentials" => {
            reply_with(200, &[("date", "Thu, 01 Jan 2026 00:00:01 GMT")], CREDENTIAL)
        }
        _ => reply(404, ""),
    });
    for _ in 0..2 {
        let credential = mint(&client).unwrap();
        assert_eq!(credential.token.expose(), "db-secret");
        assert_eq!(credential.expires_at.to_string(), "2026-01-01T01:00:00Z");
        assert_eq!(credential.served_at.unwrap().to_string(), "2026-01-01T00:00:01Z");
    }
    let expected = [
        "POST https://w.example/oidc/v1/token",
        "POST https://w.example/api/2.0/postgres/credentials",
        "POST https://w.example/api/2.0/postgres/credentials",
    ];
    assert_eq!(http.lines(), expected);
    let seen = http.seen();
    assert_eq!(seen[1].header("authorization"), Some("Bearer t0"));
    assert_eq!(seen[1].header("accept"), Some("application/json"));
    assert!(seen[1].request.headers()["authorization"].is_sensitive());
    let agent = seen[1].header("user-agent").unwrap();
    assert!(agent.starts_with("unknown/0.0.0 lakebase-rust/0.1.0 rust/1."), "{agent}");
    assert!(agent.ends_with(" auth/oauth-m2m"), "{agent}");
    assert_eq!(seen[1].header("x-databricks-workspace-id"), None);
}

#[test]
fn the_workspace_id_is_sent_when_it_is_known() {
    let http = FakeHttp::new(|_| reply(200, r#"{"userName":"me@example.com"}"#));
    let pairs = [PAT[0], ("DATABRICKS_HOST", "https://w.example/?o=77")];
    let client = client(&pairs, &http);
    assert_eq!(&*run(client.current_user()).unwrap(), "me@example.com");
    assert_eq!(http.seen()[0].header("x-databricks-workspace-id"), Some("77"));
    assert_eq!(http.lines(), ["GET https://w.example/api/2.0/preview/scim/v2/Me"]);
}

#[test]
fn a_service_principal_is_its_own_user_and_others_ask() {
    let http = FakeHttp::new(|_| reply(200, r#"{"userName":"me@example.com"}"#));
    let m2m = client(M2M, &http);
    assert_eq!(&*run(UserResolver::resolve(&m2m)).unwrap(), "app-1");
    assert!(http.seen().is_empty());
    let pat = client(PAT, &http);
    assert_eq!(&*run(UserResolver::resolve(&pat)).unwrap(), "me@example.com");
    assert_eq!(http.seen().len(), 1);
}

fn page(id: &str, kind: &str, next: &str) -> String {
    format!(
        r#"{{"endpoints":[{{"name":"{BRANCH}/endpoints/{id}","status":{{"endpoint_type":"ENDPOINT_TYPE_{kind}","current_state":"IDLE","hosts":{{"host":"{id}.example"}}}}}}],"next_page_token":"{next}"}}"#
    )
}

#[test]
fn a_branch_is_resolved_over_all_pages_by_type() {
    let (client, http) = scripted(PAT, |seen| {
        reply(
            200,
            match seen.request.uri().query() {
                None => page("replica", "READ_ONLY", "a/b"),
                Some("page_token=a%2Fb") => page("odd", "SOMETHING_NEW", "c"),
                Some(_) => page("primary", "READ_WRITE", ""),
            },
        )
    });
    let found = resolve(&client, BRANCH).unwrap();
    assert_eq!(found.name.id(), "primary");
    assert_eq!(http.seen().len(), 3);
    let all = run(client.list_endpoints(&BRANCH.parse().unwrap())).unwrap();
    assert_eq!(all[1].endpoint_type, EndpointType::Unknown("SOMETHING_NEW".into()));
}

#[test]
fn a_named_endpoint_is_asked_for_by_name_and_returned_as_it_is() {
    let (client, http) = scripted(PAT, |_| {
        reply(200, format!(r#"{{"name":"{ENDPOINT}","status":{{"disabled":true}}}}"#))
    });
    let found = resolve(&client, ENDPOINT).unwrap();
    assert!(found.disabled);
    assert_eq!(http.lines(), [format!("GET https://w.example/api/2.0/postgres/{ENDPOINT}")]);
}

#[test]
fn a_page_token_that_repeats_is_an_error() {
    let (client, http) = scripted(PAT, |_| reply(200, page("replica", "READ_ONLY", "again")));
    let said = "listing the endpoints of projects/p/branches/b: the list of endpoints has no end: `next_page_token` repeats or goes on for ever";
    refused(run(client.list_endpoints(&BRANCH.parse().unwrap())), ErrorKind::Protocol, said);
    assert_eq!(http.seen().len(), 2);
}

#[test]
fn a_refused_token_is_replaced_once() {
    let (client, http) = scripted(M2M, |seen| match seen.header("authorization") {
        Some("Bearer t0") => reply(401, r#"{"error_code":401,"message":"expired"}"#),
        Some("Bearer t2") => reply(200, CREDENTIAL),
        _ => token(seen),
    });
    assert!(mint(&client).is_ok());
    assert_eq!(http.seen().len(), 4);

    let (client, http) = scripted(M2M, |seen| {
        with_tokens(seen, reply(401, r#"{"error_code":401,"message":"no t2 here"}"#))
    });
    let error = mint(&client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(http.seen().len(), 4);
    assert!(
        error.report().contains(
            "the workspace refused the service principal app-1 from DATABRICKS_CLIENT_ID (environment variable)"
        ),
        "{}",
        error.report()
    );
}

/// Holds the first call back until it is told to go on.
#[derive(Debug)]
struct FirstCallWaits(Arc<FakeHttp>, Mutex<Option<oneshot::Receiver<()>>>);

#[async_trait]
impl HttpClient for FirstCallWaits {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        if request.uri().path().ends_with("/credentials") {
            let first = self.1.lock().unwrap().take();
            if let Some(told) = first {
                told.await.unwrap();
            }
        }
        self.0.send(request).await
    }
}

#[test]
fn a_token_from_before_the_refusal_is_replaced_too() {
    let calls = AtomicUsize::new(0);
    let http = FakeHttp::new(move |seen| match seen.path() {
        "/oidc/v1/token" => token(seen),
        // The second call's token is revoked as well once that call has used it.
        _ => match calls.fetch_add(1, Ordering::SeqCst) {
            1 | 4 => reply(200, CREDENTIAL),
            _ => reply(401, ""),
        },
    });
    // Time that does not move on by itself, so that a call may wait.
    let time = lakebase_testkit::FakeTime::new();
    let (go_on, told) = oneshot::channel();
    let waits = Arc::new(FirstCallWaits(Arc::clone(&http), Mutex::new(Some(told))));
    let client = client_on(&Runtime { http: waits, ..fake_runtime(&time, None) }, M2M);
    let (slow, wanted) = (request(), request());
    let (slow, quick) =
        FakeSpawn::new(&time).run(future::join(CredentialSource::fetch(&client, &slow), async {
            let quick = CredentialSource::fetch(&client, &wanted).await;
            time.advance(Duration::from_secs(1));
            go_on.send(()).unwrap();
            quick
        }));
    assert!(quick.is_ok() && slow.is_ok(), "{quick:?} {slow:?}");
    let tokens: Vec<_> = http
        .seen()
        .iter()
        .filter_map(|seen| seen.header("authorization")?.strip_prefix("Bearer ").map(str::to_owned))
        .collect();
    assert_eq!(tokens, ["t0", "t2", "t0", "t2", "t6"]);
}

#[test]
fn a_workspace_that_refuses_every_token_is_not_flooded() {
    let (client, http) = scripted(M2M, |seen| with_tokens(seen, reply(401, "")));
    for _ in 0..10 {
        mint(&client).unwrap_err();
    }
    assert_eq!(http.count("/token"), 3);
    assert_eq!(http.count("/credentials"), 12);
}

#[test]
fn what_is_not_there_is_named() {
    let absent = r#"{"error_code":"NOT_FOUND","message":"branch id not found"}"#;
    let disabled = r#"{"endpoints":[{"name":"projects/p/branches/b/endpoints/e","status":{"disabled":true,"endpoint_type":"ENDPOINT_TYPE_READ_WRITE"}}]}"#;
    for (status, body, kind, report) in [
        (
            404,
            absent,
            ErrorKind::NotFound,
            "listing the endpoints of projects/p/branches/b: https://w.example answered 404 NOT_FOUND: branch id not found",
        ),
        (
            200,
            "{}",
            ErrorKind::NotFound,
            "projects/p/branches/b has no read-write endpoint; there: none",
        ),
        (
            200,
            disabled,
            ErrorKind::Disabled,
            "every read-write endpoint of projects/p/branches/b is disabled; there: e (read-write, disabled)",
        ),
    ] {
        let (client, _) = scripted(PAT, move |_| reply(status, body));
        refused(resolve(&client, BRANCH), kind, report);
    }
    let (client, _) = scripted(PAT, move |_| reply(404, absent));
    for (error, report) in [
        (
            run(client.get_endpoint(&ENDPOINT.parse().unwrap())).unwrap_err(),
            "looking up projects/p/branches/b/endpoints/e: https://w.example answered 404 NOT_FOUND: branch id not found",
        ),
        (
            run(client.generate_credential(&request())).unwrap_err(),
            "getting a database credential for projects/p/branches/b/endpoints/e: https://w.example answered 404 NOT_FOUND: branch id not found",
        ),
    ] {
        assert_eq!(error.report(), report);
        assert_eq!(error.status(), Some(404));
    }
}

#[test]
fn an_expired_personal_token_is_named_and_not_tried_again() {
    let (client, http) = scripted(PAT, |_| {
        reply(401, r#"{"error_code":"401","message":"bad dapi-0123456789abcdef"}"#)
    });
    let error = run(client.generate_credential(&request())).unwrap_err();
    let said = "getting a database credential for projects/p/branches/b/endpoints/e: the workspace refused the personal access token from DATABRICKS_TOKEN (environment variable); it may have expired or been revoked: https://w.example answered 401 401: bad [redacted]";
    assert_eq!(error.report(), said);
    assert_eq!(http.seen().len(), 1);
    assert_eq!(error.status(), Some(401));
}

#[test]
fn force_goes_past_the_cached_token() {
    let (client, http) = scripted(M2M, |seen| with_tokens(seen, reply(200, CREDENTIAL)));
    mint(&client).unwrap();
    let forced = CredentialRequest { force: true, ..request() };
    run(CredentialSource::fetch(&client, &forced)).unwrap();
    assert_eq!(http.count("/token"), 2);
}

#[test]
fn the_token_is_fetched_again_once_it_has_expired() {
    let (client, http) = scripted(M2M, |seen| with_tokens(seen, reply(200, CREDENTIAL)));
    mint(&client).unwrap();
    http.time.advance(Duration::from_secs(3601));
    mint(&client).unwrap();
    assert_eq!(http.count("/token"), 2);
}

#[test]
fn calls_at_the_same_time_share_one_token() {
    let (client, http) = scripted(M2M, |seen| match seen.path() {
        "/oidc/v1/token" => token(seen),
        "/api/2.0/postgres/credentials" => reply(200, CREDENTIAL),
        _ => reply(200, format!(r#"{{"name":"{ENDPOINT}"}}"#)),
    });
    let (request, target) = (request(), ENDPOINT.parse().unwrap());
    let credential = CredentialSource::fetch(&client, &request);
    let endpoint = EndpointResolver::resolve(&client, &target, Access::ReadWrite);
    run(async { future::try_join(credential, endpoint).await }).unwrap();
    assert_eq!(http.seen().len(), 3);
}

#[test]
fn nonsense_is_an_error_that_names_what_is_missing() {
    for (body, problem) in [
        ("", "the database credential is empty"),
        ("<html>dapi</html>", "the database credential is HTML instead of JSON"),
        (r#"{"token":"db-sec"#, "the database credential ends too early: EOF while parsing"),
        ("[]", "the database credential is not a JSON object"),
        ("nonsense", "the database credential is not JSON"),
        ("{}", "the database credential has no `token`"),
        (r#"{"token":7}"#, "the database credential has no `token`"),
        (r#"{"token":"db-secret"}"#, "the database credential has no `expire_time`"),
        (
            r#"{"token":"db-secret","expire_time":"soon"}"#,
            "the database credential has a `expire_time` that cannot be read: not an RFC 3339 timestamp",
        ),
    ] {
        let (client, http) = scripted(PAT, move |_| reply(200, body));
        let error = run(client.generate_credential(&request())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{body}");
        let report = error.report();
        assert!(report.contains(problem), "{body}: {report}");
        assert!(!report.contains("db-sec"), "{report}");
        assert_eq!(http.seen().len(), 1);
    }
}

#[test]
fn an_expiry_in_the_past_is_passed_on() {
    let body = r#"{"token":"t","expire_time":"2020-01-01T00:00:00+00:00"}"#;
    let (client, _) = scripted(PAT, move |_| reply(200, body));
    let credential = run(client.generate_credential(&request())).unwrap();
    assert_eq!(credential.expires_at.to_string(), "2020-01-01T00:00:00Z");
}

#[test]
fn clients_are_shared_between_threads_and_print_no_secret() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let http = FakeHttp::new(|_| None);
    for pairs in [PAT, M2M] {
        let client: WorkspaceClient = client(pairs, &http);
        shared(&client);
        assert!(!format!("{client:?}").contains("0123456789abcdef"));
    }
}

#[test]
fn the_servers_time_needs_no_token_and_no_document() {
    const DATE: (&str, &str) = ("date", "Thu, 01 Jan 2026 00:10:00 GMT");
    let time = |status: u16, headers: &'static [(&str, &str)]| {
        let (client, http) = scripted(M2M, move |_| reply_with(status, headers, "{}"));
        let found = run(client.server_time());
        assert_eq!(http.lines(), ["GET https://w.example/.well-known/databricks-config"]);
        assert_eq!(http.seen()[0].header("authorization"), None);
        found.map(|time| time.map(|time| time.to_string())).map_err(|error| error.kind())
    };
    let shown = Some("2026-01-01T00:10:00Z".to_owned());
    assert_eq!(time(200, &[DATE]), Ok(shown.clone()));
    assert_eq!(time(404, &[DATE]), Ok(shown));
    assert_eq!(time(200, &[]), Ok(None));
    assert_eq!(time(503, &[DATE]), Err(ErrorKind::Unavailable));
    assert_eq!(time(403, &[DATE]), Err(ErrorKind::PermissionDenied));
    const LINK: (&str, &str) = ("location", "/login.html?error=private-link-validation-error");
    assert_eq!(time(303, &[LINK]), Err(ErrorKind::PermissionDenied));
}
