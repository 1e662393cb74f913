//! Tests of the replies: what is read, what is tolerated, and what is refused without quoting it.

use std::time::Duration;

use lakebase_core::ErrorKind;
use proptest::prelude::*;

use super::*;

const NAME: &str = "projects/p/branches/b/endpoints/e";

fn one(rest: &str) -> Endpoint {
    endpoint(format!(r#"{{"name":"{NAME}"{rest}}}"#).as_bytes()).unwrap()
}

#[test]
fn an_endpoint_as_the_service_writes_it() {
    let found = one(r#","parent":"projects/p/branches/b","uid":"ep-1","new_field":{"x":[1]},
        "status":{"endpoint_type":"ENDPOINT_TYPE_READ_WRITE","current_state":"ACTIVE","disabled":false,
        "autoscaling_limit_min_cu":0.5,"suspend_timeout_duration":"300s","hosts":{"host":"ep-1.example",
        "read_only_host":"","read_write_pooled_host":"ep-1-pooler.example","other":7}}"#);
    assert_eq!(found.name.to_string(), NAME);
    assert_eq!(found.endpoint_type, EndpointType::ReadWrite);
    assert_eq!(found.state, EndpointState::Active);
    assert!(!found.disabled);
    assert_eq!(found.hosts.host.as_deref(), Some("ep-1.example"));
    assert_eq!(found.hosts.read_only_host, None);
    assert_eq!(found.hosts.read_write_pooled_host.as_deref(), Some("ep-1-pooler.example"));
    assert_eq!(found.suspend_timeout, Some(Duration::from_secs(300)));
}

#[test]
fn what_is_in_effect_comes_before_what_was_asked_for() {
    let spec = r#""spec":{"endpoint_type":"ENDPOINT_TYPE_READ_ONLY","disabled":true,"suspend_timeout_duration":"60.5s"}"#;
    let found = one(&format!(
        r#",{spec},"status":{{"endpoint_type":"ENDPOINT_TYPE_READ_WRITE","disabled":false}}"#
    ));
    assert_eq!(found.endpoint_type, EndpointType::ReadWrite);
    assert!(!found.disabled);
    assert_eq!(found.suspend_timeout, Some(Duration::from_millis(60_500)));
    for status in
        ["", r#","status":{}"#, r#","status":null"#, r#","status":{"endpoint_type":null}"#]
    {
        let found = one(&format!(",{spec}{status}"));
        assert_eq!(found.endpoint_type, EndpointType::ReadOnly, "{status}");
        assert!(found.disabled, "{status}");
    }
}

#[test]
fn a_bare_name_and_new_values_are_fine() {
    let found = one("");
    assert_eq!(found.endpoint_type, EndpointType::Unknown("unknown".into()));
    assert_eq!(found.state, EndpointState::Unknown("unknown".into()));
    assert_eq!(found.hosts, EndpointHosts::default());
    let found =
        one(r#","status":{"endpoint_type":"ENDPOINT_TYPE_SHARD","current_state":"MOVING"}"#);
    assert_eq!(found.endpoint_type, EndpointType::Unknown("SHARD".into()));
    assert_eq!(found.state, EndpointState::Unknown("MOVING".into()));
    use EndpointState::{Degraded, Idle, Init};
    for (text, state) in [("INIT", Init), ("IDLE", Idle), ("DEGRADED", Degraded)] {
        assert_eq!(one(&format!(r#","status":{{"current_state":"{text}"}}"#)).state, state);
    }
    let strings = ["300", "-1s", "infs", "1e9s", "s", "99999999999999999999999s"];
    for odd in ["300".to_owned()].into_iter().chain(strings.map(|text| format!("\"{text}\""))) {
        let found = one(&format!(r#","status":{{"suspend_timeout_duration":{odd}}}"#));
        assert_eq!(found.suspend_timeout, None, "{odd}");
    }
}

#[test]
fn pages_end_with_a_missing_or_empty_token() {
    for (body, endpoints, next) in [
        ("{}", 0, None),
        (r#"{"endpoints":null,"next_page_token":""}"#, 0, None),
        (r#"{"endpoints":[],"next_page_token":"x"}"#, 0, Some("x")),
        (&format!(r#"{{"endpoints":[{{"name":"{NAME}"}}],"next_page_token":null}}"#), 1, None),
    ] {
        let page = endpoint_page(body.as_bytes()).unwrap();
        assert_eq!(page.items.len(), endpoints, "{body}");
        assert_eq!(page.next_page_token.as_deref(), next, "{body}");
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T>, message: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(error.to_string(), message);
}

#[test]
fn endpoints_that_make_no_sense_are_refused() {
    let one = |body: &[u8], message: &str| refused(endpoint(body), message);
    one(b"{}", "an endpoint has no `name`");
    let form = "projects/\u{2026}/branches/\u{2026}/endpoints/\u{2026}";
    let message = format!("an endpoint has a `name` that is not {form}");
    one(br#"{"name":"projects/p"}"#, &message);
    let body = format!(r#"{{"name":"{NAME}","status":{{"hosts":{{"host":"a b"}}}}}}"#);
    one(body.as_bytes(), &format!("{NAME}: `status.hosts.host` is not a host name"));
    one(b" \n", "the endpoint is empty");
    one(b"\xff\xfe", "the endpoint is not JSON");
    let page = |body: &[u8], message: &str| refused(endpoint_page(body), message);
    page(br#"{"endpoints":{}}"#, "the list of endpoints: `endpoints` is not a list");
    page(br#"{"endpoints":["x"]}"#, "an endpoint has no `name`");
}

#[test]
fn oauth_tokens_count_from_the_servers_clock() {
    let asked = Timestamp::from_unix_millis(1_000);
    let served = Timestamp::from_unix_millis(500_000);
    for expires_in in ["3600", "\"3600\"", "3600.9"] {
        let body =
            format!(r#"{{"access_token":"secret","expires_in":{expires_in},"scope":"all-apis"}}"#);
        let token = oauth_token(body.as_bytes(), asked, Some(served)).unwrap();
        assert_eq!(token.expires_at, Some(Timestamp::from_unix_millis(4_100_000)), "{expires_in}");
        let token = oauth_token(body.as_bytes(), asked, None).unwrap();
        assert_eq!(token.expires_at, Some(Timestamp::from_unix_millis(3_601_000)));
        assert_eq!(token.token.expose(), "secret");
    }
    let read = |body: &str| oauth_token(body.as_bytes(), asked, None);
    for (body, problem) in [
        (r#"{"expires_in":1}"#, "no `access_token`"),
        (r#"{"access_token":"secret"}"#, "no `expires_in`"),
        (r#"{"access_token":"secret","expires_in":-1}"#, "no `expires_in`"),
        (
            r#"{"access_token":"secret","token_type":"mac","expires_in":1}"#,
            "a `token_type` other than Bearer",
        ),
    ] {
        refused(read(body), &format!("the OAuth token has {problem}"));
    }
    assert!(read(r#"{"access_token":"s","token_type":"bearer","expires_in":1e300}"#).is_err());
}

#[test]
fn the_commands_output_carries_nanoseconds_and_an_offset() {
    let read = |text: &str| cli_token(&Secret::new(text));
    let expiry = "2026-01-01T02:00:00.123456789+01:00";
    let body = format!(r#"{{"access_token":"s","token_type":"Bearer","expiry":"{expiry}"}}"#);
    let token = read(&body).unwrap();
    assert_eq!(token.expires_at.unwrap().to_string(), "2026-01-01T01:00:00.123Z");
    let said = "the output of `databricks auth token` has no `expiry`";
    refused(read(r#"{"access_token":"s"}"#), said);
    refused(read("s"), "the output of `databricks auth token` is not JSON");
}

#[test]
fn discovery_fills_in_the_account() {
    let body =
        br#"{"oidc_endpoint":"https://w.example/oidc/accounts/{account_id}","account_id":"a-1"}"#;
    assert_eq!(oidc_endpoint(body, None).unwrap(), "https://w.example/oidc/accounts/a-1");
    assert_eq!(oidc_endpoint(body, Some("a-2")).unwrap(), "https://w.example/oidc/accounts/a-2");
    let body = br#"{"oidc_endpoint":"https://w.example/oidc/{account_id}","account_id":"../x"}"#;
    let said = "the workspace's discovery document needs an account id; set account_id (DATABRICKS_ACCOUNT_ID)";
    refused(oidc_endpoint(body, None), said);
    refused(token_endpoint(b"{}"), "the OAuth metadata has no `token_endpoint`");
    let said = "the OAuth metadata has a `token_endpoint` that is not a URL";
    refused(token_endpoint(br#"{"token_endpoint":"no url"}"#), said);
    refused(user_name(br#"{"userName":""}"#), "the current user has no `userName`");
}

proptest! {
    #[test]
    fn no_reply_panics(body in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = endpoint_page(&body);
        let _ = endpoint(&body);
        let _ = credential(&body, None);
        let _ = oauth_token(&body, Timestamp::from_unix_millis(0), None);
    }

    #[test]
    fn no_json_panics_or_shows_its_text(
        key in "(name|token|expire_time|access_token|expires_in|status|hosts|endpoints)",
        value in "(\"canary-[a-z]{0,9}\"|-?[0-9]{1,30}|[0-9]e[0-9]{1,4}|null|true|\\[\\]|\\{\\}|\\[{0,200})",
    ) {
        let body = format!(r#"{{"{key}":{value},"x":"canary"}}"#);
        let body = body.as_bytes();
        let errors = [
            endpoint_page(body).err(),
            endpoint(body).err(),
            credential(body, None).err(),
            oauth_token(body, Timestamp::from_unix_millis(0), None).err(),
        ];
        for error in errors.into_iter().flatten() {
            let printed = format!("{error:?}");
            prop_assert!(!printed.contains("canary"));
        }
    }
}
