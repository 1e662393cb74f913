//! Requests that the token services take and refuse.

use std::time::Duration;

use serde_json::Value;

use super::super::{Request, Taken, handle};
use crate::identities::variables;
use crate::state::State;
use crate::state::tests::state;
use crate::token::TokenFor;

/// Asks; `headers` are those beside the bearer token.
fn ask(
    state: &mut State,
    line: &str,
    bearer: &str,
    others: &[(&'static str, &str)],
    body: &str,
) -> (u16, Value) {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::new(method, target, body);
    if !bearer.is_empty() {
        request = request.with("authorization", &format!("Bearer {bearer}"));
    }
    let request = others.iter().fold(request, |request, (name, value)| request.with(name, value));
    match handle(state, Duration::ZERO, &request) {
        Taken::Answered(response) => {
            (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
        }
        Taken::DataApi(_) => panic!("left to the Data API"),
    }
}

const EXCHANGE: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt";
const ENTRA: &str = "grant_type=client_credentials&client_id=app+id+%C3%BC";
const DATABRICKS: &str = "resource=2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

#[test]
fn services_refuse_what_they_should() {
    let state = &mut state();
    let google =
        state.issue(TokenFor::Google, "", state.clock.now(Duration::ZERO), Duration::from_secs(60));
    let metadata =
        &[("x-databricks-metadata-version", "1"), ("x-databricks-host", "http://127.0.0.1:1")][..];
    let machine = &[("metadata", "true")][..];
    let flavor = &[("metadata-flavor", "Google")][..];
    let devops =
        "POST /org/p/_apis/distributedtask/hubs/build/plans/1/jobs/2/oidctoken?api-version=";
    let entra = |rest: &str| format!("{ENTRA}&{rest}");
    let mut check =
        |line: &str, bearer: &str, others: &[(&'static str, &str)], body: &str, status| {
            assert_eq!(ask(state, line, bearer, others, body).0, status, "{line} {body}");
        };
    for (line, bearer, status) in [
        ("GET /github/id-token?audience=a", "request1", 200),
        ("GET /github/id-token?audience=a", "guess", 401),
        (&format!("{devops}7.2-preview.1"), "request1", 200),
        (&format!("{devops}7.2-preview.1"), "guess", 401),
        (&format!("{devops}1"), "request1", 400),
    ] {
        check(line, bearer, &[], "", status);
    }
    for (tenant, body, status) in [
        ("tenant1", entra(&format!("client_secret=azure1&{DATABRICKS}")), 200),
        ("tenant2", entra(&format!("client_secret=azure1&{DATABRICKS}")), 400),
        ("tenant1", entra(&format!("client_secret=guess&{DATABRICKS}")), 401),
        ("tenant1", entra("client_secret=azure1&resource=other"), 400),
        ("tenant1", "grant_type=password".to_owned(), 400),
    ] {
        check(&format!("POST /{tenant}/oauth2/token"), "", &[], &body, status);
    }
    for (query, others, status) in [
        (DATABRICKS, machine, 200),
        (DATABRICKS, &[][..], 400),
        (&format!("{DATABRICKS}&client_id=x"), machine, 400),
        ("resource=x", machine, 400),
    ] {
        check(&format!("GET /metadata/identity/oauth2/token?{query}"), "", others, "", status);
    }
    for (session, others, status) in [
        ("request1", metadata, 200),
        ("guess", metadata, 404),
        ("request1", &metadata[..1], 400),
        ("request1", &metadata[1..], 400),
    ] {
        check(&format!("GET /metadata-service/{session}"), "", others, "", status);
    }
    for (others, status) in [(flavor, 200), (&[], 403)] {
        let line = "GET /computeMetadata/v1/instance/service-accounts/default/token";
        check(line, "", others, "", status);
    }
    for (grant, status) in [
        ("refresh_token&refresh_token=request1", 200),
        ("refresh_token&refresh_token=guess", 400),
        ("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c", 400),
    ] {
        check("POST /token", "", &[], &format!("grant_type={grant}"), status);
    }
    for (place, bearer, status) in [
        ("app@example.com:generateIdToken", &*google, 200),
        ("app@example.com:generateIdToken", "guess", 401),
        ("app@example.com:signBlob", &google, 404),
        ("other@example.com:generateIdToken", &google, 403),
    ] {
        check(&format!("POST /v1/projects/-/serviceAccounts/{place}"), bearer, &[], "{}", status);
    }
}

#[test]
fn only_living_id_tokens_are_exchanged() {
    let state = &mut state();
    let now = state.clock.now(Duration::ZERO);
    let living = state.issue(TokenFor::Exchange, "any", now, Duration::from_secs(60));
    let dead = state.issue(TokenFor::Exchange, "any", now, Duration::ZERO);
    let other = state.issue(TokenFor::EntraService, "any", now, Duration::from_secs(60));
    for (subject, client, status) in [
        (&living, "&client_id=app+id+%C3%BC", 200),
        (&living, "", 200),
        (&living, "&client_id=other", 401),
        (&dead, "", 400),
        (&other, "", 400),
    ] {
        let body = format!("{EXCHANGE}&subject_token={subject}{client}");
        let (got, answer) = ask(state, "POST /oidc/v1/token", "", &[], &body);
        assert_eq!(got, status, "{client} {answer}");
        if status == 200 {
            let token = answer["access_token"].as_str().unwrap().to_owned();
            let me = ask(state, "GET /api/2.0/preview/scim/v2/Me", &token, &[], "").1;
            let expected = if client.is_empty() { "ada@example.com" } else { "app id ü" };
            assert_eq!(me["userName"], expected);
        }
    }
}

#[test]
fn a_token_beside_the_bearer_token_has_to_be_good() {
    let state = &mut state();
    let now = state.clock.now(Duration::ZERO);
    let mut give = |what| state.issue(what, "any", now, Duration::from_secs(60));
    let (token, management) = (give(TokenFor::EntraService), give(TokenFor::EntraManagement));
    let name = "x-databricks-azure-sp-management-token";
    let me = "GET /api/2.0/preview/scim/v2/Me";
    assert_eq!(ask(state, me, &token, &[(name, &management)], "").0, 200);
    assert_eq!(ask(state, me, &token, &[(name, &token)], "").0, 403);
    assert_eq!(ask(state, me, &management, &[], "").0, 401);
}

#[test]
fn the_description_has_variables_for_each_service() {
    let table = variables(&state());
    assert_eq!(table.len(), 7);
    assert!(table.values().all(|variables| !variables.is_empty()));
}
