//! Tests of Provisioned instances and their credentials, without sockets.

use std::time::Duration;

use serde_json::{Value, json};

use super::database::CREDENTIALS;
use super::tests::{START, ask, get, handle, request};
use crate::fault::{Effect, Fault, Operation};
use crate::state::State;
use crate::state::tests::{PRIMARY, state};
use crate::world::INSTANCE;

const INSTANCES: &str = "/api/2.0/database/instances";

fn mint(state: &mut State, body: &Value) -> (u16, Value) {
    ask(state, "POST", CREDENTIALS, &body.to_string())
}

#[test]
fn an_instance_is_found_by_name_by_uid_and_on_the_second_page() {
    let mut state = state();
    let demo = state.world.endpoint(INSTANCE).unwrap().clone();
    let (_, first) = get(&mut state, INSTANCES);
    let archive = &first["database_instances"][0];
    assert_eq!((&archive["name"], &archive["state"]), (&json!("archive"), &json!("STOPPED")));
    assert_eq!((&archive["stopped"], &archive["read_only_dns"]), (&json!(true), &Value::Null));
    let token = first["next_page_token"].as_str().unwrap();
    let (_, second) = get(&mut state, &format!("{INSTANCES}?page_size=100&page_token={token}"));
    assert_eq!(second["next_page_token"], Value::Null);
    let by_uid = get(&mut state, &format!("{INSTANCES}:findByUid?uid={}", demo.uid));
    let by_name = get(&mut state, &format!("{INSTANCES}/demo"));
    assert_eq!((200, &second["database_instances"][0]), (by_uid.0, &by_uid.1));
    assert_eq!(by_name, by_uid);
    let found = by_name.1;
    let host = format!("instance-{}.database.emulator.lakebase.test", demo.uid);
    assert_eq!(found["read_write_dns"], host);
    assert_eq!(found["read_only_dns"], host.replacen("instance-", "instance-ro-", 1));
    assert_eq!((&found["state"], &found["capacity"]), (&json!("AVAILABLE"), &json!("CU_1")));
}

#[test]
fn what_is_missing_is_named() {
    for (path, status, text) in [
        (":findByUid", 400, "Field 'uid' is required"),
        (":findByUid?uid=", 400, "Field 'uid' is required"),
        (":findByUid?uid=00000000-0000-4000-a000-000000000000", 404, "instance id not found"),
        ("/nothing", 404, "instance id not found"),
        ("/demo/roles", 404, "No API found"),
        ("/", 404, "No API found"),
        ("?page_token=junk", 400, "Invalid page token"),
    ] {
        let (got, reply) = get(&mut state(), &format!("{INSTANCES}{path}"));
        assert_eq!(got, status, "{path}");
        assert!(reply["message"].as_str().unwrap().contains(text), "{reply}");
    }
    let anonymous = request("GET", INSTANCES, None, "");
    assert_eq!(handle(&mut state(), START, &anonymous).status, 401);
    assert_eq!(ask(&mut state(), "POST", INSTANCES, "{}").0, 501);
}

#[test]
fn credentials_are_minted_or_refused_with_a_reason() {
    let claims = json!([{"permission_set": "READ_ONLY", "resources": [{"table_name": "a.b.c"}]}]);
    for (body, status, text) in [
        (json!({"instance_names": ["demo"]}), 200, ""),
        (json!({"instance_names": ["demo", "archive"], "request_id": "1"}), 200, ""),
        (json!({"instance_names": ["demo"], "claims": claims}), 200, ""),
        (json!({"claims": claims}), 200, ""),
        (json!({}), 400, "Field 'instance_names' is required"),
        (json!({"instance_names": [], "claims": []}), 400, "Field 'instance_names' is required"),
        (json!({"instance_names": "demo"}), 400, "must be a list of names"),
        (json!({"instance_names": [1]}), 400, "must be a list of names"),
        (json!({"instance_names": ["demo", "nothing"]}), 404, "instance id not found"),
        (json!({"instance_names": ["demo"], "request_id": 1}), 400, "'request_id'"),
        (json!({"instance_names": ["demo"], "claims": {}}), 400, "'claims'"),
    ] {
        let (got, reply) = mint(&mut state(), &body);
        assert_eq!(got, status, "{body} {reply}");
        assert!(reply["message"].as_str().unwrap_or_default().contains(text), "{reply}");
        assert_eq!(reply["token"].is_string(), status == 200);
    }
    let (_, reply) = mint(&mut state(), &json!({"instance_names": ["demo"]}));
    assert_eq!(reply["expiration_time"], "1970-01-12T14:46:40Z", "an hour after the clock's start");
    assert_eq!(reply["expire_time"], Value::Null);
}

#[test]
fn a_request_sent_again_gets_the_same_answer_while_that_lives() {
    let mut state = state();
    let body = |id: &str| json!({"instance_names": ["demo"], "request_id": id});
    let (_, first) = mint(&mut state, &body("a"));
    assert_eq!(mint(&mut state, &body("a")).1, first);
    assert_ne!(mint(&mut state, &body("b")).1["token"], first["token"]);
    let both = json!({"instance_names": ["demo", "archive"], "request_id": "a"});
    assert_ne!(mint(&mut state, &both).1["token"], first["token"]);
    let without = json!({"instance_names": ["demo"]});
    assert_ne!(mint(&mut state, &without).1, mint(&mut state, &without).1);
    // The personal access token lives for a minute, so the clock is moved instead.
    state.clock.advance(Duration::from_secs(3_600));
    state.tokens.values_mut().for_each(|token| token.expires = None);
    let renewed = mint(&mut state, &body("a")).1;
    assert!(renewed["token"].is_string() && renewed["token"] != first["token"], "{renewed}");
}

#[test]
fn faults_find_each_call() {
    let mut state = state();
    let uid = state.world.endpoint(INSTANCE).unwrap().uid.clone();
    let postgres = "/api/2.0/postgres/projects";
    let names = r#"{"instance_names":["demo"]}"#;
    for (on, method, target, body) in [
        (Operation::ProjectList, "GET", postgres.to_owned(), ""),
        (Operation::BranchList, "GET", format!("{postgres}/demo/branches"), ""),
        (Operation::EndpointList, "GET", format!("{postgres}/demo/branches/dev/endpoints"), ""),
        (Operation::EndpointGet, "GET", format!("/api/2.0/postgres/{PRIMARY}"), ""),
        (Operation::InstanceList, "GET", INSTANCES.to_owned(), ""),
        (Operation::InstanceGet, "GET", format!("{INSTANCES}/demo"), ""),
        (Operation::InstanceGet, "GET", format!("{INSTANCES}:findByUid?uid={uid}"), ""),
        (Operation::InstanceCredentials, "POST", CREDENTIALS.to_owned(), names),
    ] {
        let effect = serde_json::from_value(json!({"kind": "reply", "status": 503})).unwrap();
        state.faults.inject(Fault::new(on, effect).times(1));
        let statuses = [(), ()].map(|()| ask(&mut state, method, &target, body).0);
        assert_eq!(statuses, [503, 200], "{on:?} {target}");
        assert!(state.faults.list().is_empty(), "{on:?}");
    }
    let only = |text: &str| Fault::new(Operation::Any, Effect::Drop).only(text);
    state.faults.inject(only(&uid));
    state.faults.inject(only("credentials demo"));
    let found = request("GET", &format!("{INSTANCES}:findByUid?uid={uid}"), None, "");
    assert!(handle(&mut state, START, &found).body.is_empty());
    assert_eq!(mint(&mut state, &json!({"instance_names": ["demo"]})).0, 500);
    assert_eq!(mint(&mut state, &json!({"instance_names": ["archive"]})).0, 200);
}

#[test]
fn tokens_misbehave() {
    let body = json!({"instance_names": ["demo"], "request_id": "same"});
    let with = |effect| {
        let mut state = state();
        state.faults.inject(Fault::new(Operation::InstanceCredentials, effect));
        mint(&mut state, &body).1
    };
    let lifetime = Effect::Lifetime { duration: Duration::from_secs(20) };
    assert_eq!(with(lifetime)["expiration_time"], "1970-01-12T13:47:00Z");
    assert_eq!(with(Effect::Expired)["expiration_time"], "1970-01-12T12:46:40Z");
    let without = with(Effect::Omit { field: "expiration_time".to_owned() });
    assert!(without["token"].is_string() && without["expiration_time"].is_null());
}
