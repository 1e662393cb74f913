//! Tests of the API without sockets.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::reply::Response;
use super::{Request, Taken};
use crate::fault::{Body, Effect, Fault, Operation, RetryAfter};
use crate::state::State;
use crate::state::tests::{PRIMARY, state};
use crate::world::Compute;

pub(super) const START: Duration = Duration::ZERO;
const TOKEN: &str = "/oidc/v1/token";
const ME: &str = "/api/2.0/preview/scim/v2/Me";
const CREDENTIALS: &str = "/api/2.0/postgres/credentials";

pub(super) fn request(
    method: &str,
    target: &str,
    authorization: Option<&str>,
    body: &str,
) -> Request {
    let request = Request::new(method, target, body);
    match authorization {
        Some(value) => request.with("authorization", value),
        None => request,
    }
}

/// The answer to a request that needs nothing but the state.
pub(super) fn handle(state: &mut State, real: Duration, request: &Request) -> Response {
    match super::handle(state, real, request) {
        Taken::Answered(response) => response,
        Taken::DataApi(_) => panic!("left to the Data API"),
    }
}

pub(super) fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or(Value::Null)
}

/// What the personal access token gets, as status and JSON.
pub(super) fn ask(state: &mut State, method: &str, target: &str, body: &str) -> (u16, Value) {
    let response = handle(state, START, &request(method, target, Some("Bearer dapi1"), body));
    (response.status, json_of(&response))
}

pub(super) fn get(state: &mut State, target: &str) -> (u16, Value) {
    ask(state, "GET", target, "")
}

pub(super) fn mint(state: &mut State, body: &Value) -> (u16, Value) {
    ask(state, "POST", CREDENTIALS, &body.to_string())
}

/// A request for the user's name with the personal access token.
pub(super) fn me() -> Request {
    request("GET", ME, Some("Bearer dapi1"), "")
}

pub(super) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

#[test]
fn client_credentials_in_each_spelling() {
    let grant = "grant_type=client_credentials&scope=all-apis";
    let right = basic("app id ü", "s3cret");
    let encoded = basic("app%20id%20%C3%BC", "s3cret");
    let plus = basic("app+id+%C3%BC", "s3cret");
    let wrong = basic("app id ü", "guess");
    let in_body = format!("{grant}&client_id=app+id+%C3%BC&client_secret=s3cret");
    let cases: [(Option<&str>, &str, u16, &str); 9] = [
        (Some(&right), grant, 200, ""),
        (Some(&encoded), grant, 200, ""),
        (Some(&plus), grant, 200, ""),
        (None, &in_body, 200, ""),
        (Some(&wrong), grant, 401, "invalid_client"),
        (None, grant, 401, "invalid_client"),
        (Some("Basic ?"), grant, 401, "invalid_client"),
        (Some(&right), "grant_type=password", 400, "unsupported_grant_type"),
        (Some(&right), "", 400, "invalid_request"),
    ];
    for (authorization, form, status, error) in cases {
        let mut state = state();
        let response = handle(&mut state, START, &request("POST", TOKEN, authorization, form));
        let reply = json_of(&response);
        assert_eq!(response.status, status, "{authorization:?} {form}");
        assert_eq!(reply["error"].as_str().unwrap_or_default(), error);
        if status == 200 {
            assert_eq!(reply["expires_in"], 3_600);
            assert_eq!(reply["token_type"], "Bearer");
        }
    }
}

#[test]
fn discovery_leads_to_a_moved_token_path() {
    let mut state = state();
    state.config.token_path = "/oidc/elsewhere".to_owned();
    let form = "grant_type=client_credentials";
    let right = basic("app id ü", "s3cret");
    let documented = handle(&mut state, START, &request("POST", TOKEN, Some(&right), form));
    assert_eq!(documented.status, 404);
    let (_, known) = get(&mut state, "/oidc/.well-known/oauth-authorization-server");
    assert_eq!(known["token_endpoint"], "http://127.0.0.1:1/oidc/elsewhere");
    let moved = handle(&mut state, START, &request("POST", "/oidc/elsewhere", Some(&right), form));
    assert_eq!(moved.status, 200);
    let (_, config) = get(&mut state, "/.well-known/databricks-config");
    assert_eq!(config["oidc_endpoint"], "http://127.0.0.1:1/oidc");
}

#[test]
fn callers_without_a_good_token_are_refused() {
    for (authorization, status, code) in [
        (None, 401, "UNAUTHENTICATED"),
        (Some("Basic x"), 401, "UNAUTHENTICATED"),
        (Some("Bearer made.up.token"), 401, "UNAUTHENTICATED"),
        (Some("Bearer dapi-unknown"), 403, "PERMISSION_DENIED"),
    ] {
        let me = request("GET", ME, authorization, "");
        let response = handle(&mut state(), START, &me);
        assert_eq!(
            (response.status, json_of(&response)["error_code"].as_str()),
            (status, Some(code))
        );
    }
    let late = Duration::from_secs(61);
    let expired = handle(&mut state(), late, &me());
    assert_eq!(expired.status, 403, "the personal access token has expired");
}

#[test]
fn lists_come_in_pages_of_one_with_the_reader_first() {
    let mut state = state();
    let list = "/api/2.0/postgres/projects/demo/branches/production/endpoints";
    let (_, first) = get(&mut state, list);
    assert_eq!(first["endpoints"].as_array().map(Vec::len), Some(1));
    assert_eq!(first["endpoints"][0]["status"]["endpoint_type"], "ENDPOINT_TYPE_READ_ONLY");
    let token = first["next_page_token"].as_str().unwrap();
    let (_, second) = get(&mut state, &format!("{list}?page_token={token}&page_size=100"));
    assert_eq!(second["endpoints"][0]["name"], PRIMARY);
    assert_eq!(second["next_page_token"], Value::Null);
    assert_eq!(get(&mut state, &format!("{list}?page_token=junk")).0, 400);
    state.config.page_size = 100;
    let (_, projects) = get(&mut state, "/api/2.0/postgres/projects");
    assert_eq!(projects["projects"].as_array().map(Vec::len), Some(2));
    let (_, branches) = get(&mut state, "/api/2.0/postgres/projects/demo/branches");
    assert_eq!(branches["branches"].as_array().map(Vec::len), Some(5));
    let (_, none) = get(&mut state, "/api/2.0/postgres/projects/demo/branches/empty/endpoints");
    assert_eq!(none, json!({"endpoints": []}));
}

#[test]
fn a_host_is_found_over_all_pages_of_projects_branches_and_endpoints() {
    let mut state = state();
    state.world.add_decoys(2, 2).unwrap();
    let wanted = state.world.endpoint(PRIMARY).unwrap().host();
    let mut requests = 0;
    let mut all = |path: &str, plural: &str| {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            requests += 1;
            let target = format!("/api/2.0/postgres/{path}?page_size=100&page_token={token}");
            let (status, page) = get(&mut state, &target);
            assert_eq!(status, 200, "{page}");
            found.extend(page[plural].as_array().unwrap().iter().cloned());
            match page["next_page_token"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => return found,
            }
        }
    };
    let name = |it: &Value| it["name"].as_str().unwrap().to_owned();
    let mut matches = Vec::new();
    for project in all("projects", "projects") {
        for branch in all(&format!("{}/branches", name(&project)), "branches") {
            for endpoint in all(&format!("{}/endpoints", name(&branch)), "endpoints") {
                if endpoint["status"]["hosts"]["host"] == wanted.as_str() {
                    matches.push(name(&endpoint));
                }
            }
        }
    }
    assert_eq!(matches, [PRIMARY]);
    // Projects; their branches; their endpoints, where an empty list is a page, too.
    assert_eq!(requests, 4 + (2 + 2 + 1 + 5) + (4 * 2 + 1 + 2 + 2 + 1 + 1 + 1));
}

#[test]
fn secondaries_have_hosts_of_their_own_where_they_are_readable() {
    let mut state = state();
    let path = format!("/api/2.0/postgres/{PRIMARY}");
    let (_, before) = get(&mut state, &path);
    assert_eq!(before["status"]["hosts"]["read_only_host"], Value::Null);
    state.world.endpoint_mut(PRIMARY).unwrap().readable_secondaries = true;
    let (_, after) = get(&mut state, &path);
    let hosts = &after["status"]["hosts"];
    let read_only = hosts["read_only_host"].as_str().unwrap();
    assert_eq!(read_only.replacen("-ro.", ".", 1), hosts["host"].as_str().unwrap());
    assert!(hosts["read_only_pooled_host"].as_str().unwrap().contains("-ro-pooler."));
    assert_eq!(after["status"]["group"]["enable_readable_secondaries"], true);
}

#[test]
fn an_endpoint_has_a_status_and_no_spec() {
    let mut state = state();
    let (status, endpoint) = get(&mut state, &format!("/api/2.0/postgres/{PRIMARY}"));
    assert_eq!(status, 200);
    assert_eq!(endpoint["spec"], Value::Null);
    assert!(endpoint["status"]["compute_generation"].is_object(), "a field no client knows");
    let host = endpoint["status"]["hosts"]["host"].as_str().unwrap();
    let pooled = endpoint["status"]["hosts"]["read_write_pooled_host"].as_str().unwrap();
    assert_eq!(pooled.replace("-pooler", ""), host);
}

#[test]
fn what_is_missing_is_named() {
    for (name, status, text) in [
        ("projects/x", 404, "project id not found"),
        ("projects/demo/branches/x", 404, "branch id not found"),
        ("projects/demo/branches/production/endpoints/x", 404, "endpoint id not found"),
        ("projects/x/branches/y/endpoints/z", 404, "project id not found"),
        ("projects/demo/branches/x/endpoints", 404, "branch id not found"),
        ("things/demo", 400, "Invalid resource name"),
    ] {
        let (got, reply) = get(&mut state(), &format!("/api/2.0/postgres/{name}"));
        assert_eq!(got, status, "{name}");
        assert!(reply["message"].as_str().unwrap().contains(text), "{reply}");
    }
    assert_eq!(get(&mut state(), "/api/2.0/clusters/list").0, 404);
}

#[test]
fn credentials_are_minted_or_refused_with_a_reason() {
    let claims = json!([{"permission_set": "READ_ONLY", "resources": [{"table_name": "a.b.c"}]}]);
    let unknown = json!([{"permission_set": "ALL"}]);
    let nowhere = "projects/demo/branches/production/endpoints/x";
    let later = "1970-01-12T14:46:40Z";
    for (body, status, text) in [
        (json!({"endpoint": PRIMARY}), 200, ""),
        (json!({"endpoint": PRIMARY, "ttl": "300s"}), 200, ""),
        (json!({"endpoint": PRIMARY, "expire_time": later}), 200, ""),
        (json!({"endpoint": PRIMARY, "claims": claims}), 200, ""),
        (json!({}), 400, "Field 'endpoint' is required, expected non-default value (not \"\")!"),
        (json!({"endpoint": "primary"}), 400, "Invalid resource name"),
        (json!({"endpoint": nowhere}), 404, "endpoint id not found"),
        (json!({"endpoint": PRIMARY, "ttl": "299s"}), 400, "between 300 and 3600"),
        (json!({"endpoint": PRIMARY, "ttl": "3601s"}), 400, "between 300 and 3600"),
        (json!({"endpoint": PRIMARY, "ttl": "an hour"}), 400, "'ttl'"),
        (json!({"endpoint": PRIMARY, "ttl": 300}), 400, "'ttl'"),
        (json!({"endpoint": PRIMARY, "expire_time": "tomorrow"}), 400, "'expire_time'"),
        (json!({"endpoint": PRIMARY, "expire_time": "1970-01-01T00:00:00Z"}), 400, "between"),
        (json!({"endpoint": PRIMARY, "ttl": "300s", "expire_time": later}), 400, "Only one"),
        (json!({"endpoint": PRIMARY, "claims": unknown}), 400, "permission_set"),
        (json!({"endpoint": PRIMARY, "claims": {}}), 400, "'claims'"),
    ] {
        let (got, reply) = mint(&mut state(), &body);
        assert_eq!(got, status, "{body} {reply}");
        assert!(reply["message"].as_str().unwrap_or_default().contains(text), "{reply}");
        assert_eq!(reply["token"].is_string(), status == 200);
    }
    let (_, reply) = mint(&mut state(), &json!({"endpoint": PRIMARY, "ttl": "600s"}));
    assert_eq!(reply["expire_time"], "1970-01-12T13:56:40Z", "ten minutes after the clock's start");
}

#[test]
fn the_control_interface_obeys() {
    let mut state = state();
    let mut order = |method: &str, path: &str, body: Value| {
        let request = request(method, &format!("/_emulator/{path}"), None, &body.to_string());
        let response = handle(&mut state, START, &request);
        (response.status, json_of(&response))
    };
    let fault = json!({"on": "token", "effect": {"kind": "drop"}});
    assert_eq!(order("POST", "faults", json!([fault, fault])).0, 200);
    assert_eq!(order("GET", "state", Value::Null).1["faults"].as_array().map(Vec::len), Some(2));
    assert_eq!(order("DELETE", "faults", Value::Null).0, 200);
    let faster = json!({"advance_seconds": 60.5, "acceleration": 2.0});
    assert_eq!(order("POST", "clock", faster).0, 200);
    let report = order("GET", "state", Value::Null).1;
    assert_eq!(report["now"], "1970-01-12T13:47:40Z");
    assert_eq!(report["acceleration"], 2.0);
    assert_eq!(order("POST", "suspend", json!({"endpoint": PRIMARY})).0, 200);
    assert_eq!(order("POST", "revoke", Value::Null).0, 200);
    let added = json!({
        "roles": ["new"], "drop_roles": ["app"],
        "endpoints": [{"name": "projects/p/branches/b/endpoints/e", "kind": "read_only"}],
        "instances": [{"name": "i", "readable_secondaries": true}],
        "decoys": {"projects": 2, "branches": 3},
    });
    assert_eq!(order("POST", "world", added.clone()).0, 200);
    for (method, path, body) in [
        ("POST", "world", added),
        ("POST", "world", json!({"instances": [{"name": "demo"}]})),
        ("POST", "world", json!({"decoys": {"projects": 100_000, "branches": 0}})),
        ("POST", "suspend", json!({"endpoint": "x"})),
        ("POST", "clock", json!({"acceleration": -1.0})),
        ("POST", "clock", json!({"advance_seconds": -1.0})),
        ("POST", "faults", json!({"on": "tea"})),
    ] {
        assert_eq!(order(method, path, body).0, 400, "{path}");
    }
    assert_eq!(order("GET", "nothing", Value::Null).0, 404);
    assert!(state.world.endpoint("instances/i").unwrap().read_only_host().is_some());
    assert!(state.world.projects[1].starts_with("projects/decoy-"));
    assert_eq!(state.world.endpoint(PRIMARY).unwrap().compute, Compute::Suspended);
    assert!(state.world.roles.contains_key("new") && !state.world.roles.contains_key("app"));
}

#[test]
fn the_report_holds_no_secret() {
    let mut state = state();
    let (_, minted) = mint(&mut state, &json!({"endpoint": PRIMARY}));
    let report = state.report(START).to_string();
    for secret in ["s3cret", "dapi1", minted["token"].as_str().unwrap()] {
        assert!(!report.contains(secret));
    }
    assert!(report.contains(CREDENTIALS));
}

/// Requests near enough to real ones to get past the first check.
fn near_requests() -> impl Strategy<Value = (String, String, String)> {
    let path = prop_oneof![
        "(/api/2.0/postgres|/oidc|/_emulator|/.well-known)(/[a-z%.]{0,9}){0,7}",
        Just(format!("/api/2.0/postgres/{PRIMARY}?page_token=ZnJvbTo5OTk")),
        Just(TOKEN.to_owned()),
        Just(CREDENTIALS.to_owned()),
        Just("/_emulator/clock".to_owned()),
        Just("/_emulator/world".to_owned()),
        Just(super::database::CREDENTIALS.to_owned()),
        "/api/2.0/database/instances(:findByUid)?[/?][a-z=&%]{0,9}",
        ".{0,30}",
    ];
    let body = prop_oneof![
        ".{0,60}",
        (any::<f64>(), any::<f64>())
            .prop_map(|(a, b)| json!({"advance_seconds": a, "acceleration": b}).to_string()),
        "[a-z0-9]{0,9}".prop_map(|ttl| json!({"endpoint": PRIMARY, "ttl": ttl}).to_string()),
        "[a-z\\[\\]{}\",0-9]{0,30}".prop_map(|names| format!("{{\"instance_names\":{names}}}")),
        "[-:TZ0-9+]{0,30}"
            .prop_map(|time| json!({"endpoint": PRIMARY, "expire_time": time}).to_string()),
        "[a-z/]{0,40}".prop_map(
            |name| json!({"endpoints": [{"name": name, "kind": "read_only"}]}).to_string()
        ),
    ];
    ("GET|POST|DELETE|[A-Z]{0,5}", path, body)
}

fn far_effects() -> impl Strategy<Value = Effect> {
    prop_oneof![
        any::<i64>().prop_map(|seconds| Effect::Skew { seconds }),
        any::<u64>()
            .prop_map(|seconds| Effect::Lifetime { duration: Duration::from_secs(seconds) }),
        any::<u64>().prop_map(|ms| Effect::Latency { duration: Duration::from_millis(ms) }),
        any::<u16>().prop_map(|status| Effect::Reply {
            status,
            body: Body::Truncated,
            retry_after: Some(RetryAfter::Date(u64::from(status) << 40)),
            error_code: None,
            message: None,
        }),
    ]
}

proptest! {
    #[test]
    fn no_request_and_no_fault_is_too_much(
        requests in proptest::collection::vec(near_requests(), 1..8),
        effects in proptest::collection::vec(far_effects(), 0..3),
        real in prop_oneof![0u32..50, any::<u32>()],
    ) {
        let mut state = state();
        effects.into_iter().for_each(|effect| state.faults.inject(Fault::new(Operation::Any, effect)));
        for (method, target, body) in requests {
            let request = request(&method, &target, Some("Bearer dapi1"), &body);
            let response = handle(&mut state, Duration::from_secs(u64::from(real)), &request);
            prop_assert!((200..600).contains(&response.status));
        }
    }
}
