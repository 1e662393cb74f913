//! Tests of faults that are injected into the API.

use std::time::Duration;

use serde_json::json;

use super::reply::Ending;
use super::tests::{START, handle, header, json_of, me, mint};
use crate::fault::{Body, Effect, Fault, Operation, RetryAfter};
use crate::state::tests::{PRIMARY, state};

#[test]
fn replies_are_replaced_and_garbled() {
    let cases = [
        (Body::Json, "application/json", Ending::Complete),
        (Body::Html, "text/html; charset=utf-8", Ending::Complete),
        (Body::Truncated, "application/json", Ending::Complete),
        (Body::Cut, "application/json", Ending::Cut),
        (Body::Empty, "application/json", Ending::Complete),
        (Body::Text, "text/plain", Ending::Complete),
    ];
    for (body, content_type, ending) in cases {
        let mut state = state();
        let retry_after = Some(RetryAfter::Date(9));
        let effect =
            Effect::Reply { status: 429, body, retry_after, error_code: None, message: None };
        state.faults.inject(Fault::new(Operation::Any, effect).times(1));
        state.faults.inject(Fault::new(Operation::Any, Effect::Garble { body }));
        let refused = handle(&mut state, START, &me());
        assert_eq!((refused.status, refused.ending), (429, ending));
        assert_eq!(header(&refused, "content-type"), Some(content_type));
        assert_eq!(header(&refused, "retry-after"), Some("Mon, 12 Jan 1970 13:46:49 GMT"));
        let garbled = handle(&mut state, START, &me());
        assert_eq!((garbled.status, garbled.ending), (200, ending));
        assert_eq!(json_of(&garbled).is_object(), matches!(body, Body::Json | Body::Cut));
    }
}

#[test]
fn tokens_misbehave() {
    let body = json!({"endpoint": PRIMARY});
    let with = |effect| {
        let mut state = state();
        state.faults.inject(Fault::new(Operation::Credentials, effect));
        let first = mint(&mut state, &body).1;
        (first, mint(&mut state, &body).1)
    };
    let (first, second) = with(Effect::SameToken);
    assert_eq!(first["token"], second["token"]);
    let (first, second) = with(Effect::Lifetime { duration: Duration::from_secs(20) });
    assert_eq!(first["expire_time"], "1970-01-12T13:47:00Z");
    assert_ne!(first["token"], second["token"]);
    assert_eq!(with(Effect::Expired).0["expire_time"], "1970-01-12T12:46:40Z");
    assert_eq!(with(Effect::Skew { seconds: -60 }).0["expire_time"], "1970-01-12T14:45:40Z");
    let without = with(Effect::Omit { field: "expire_time".to_owned() }).0;
    assert!(without["token"].is_string() && without["expire_time"].is_null());
}

#[test]
fn redirects_name_their_goal() {
    let mut state = state();
    let location = "/login.html?error=private-link-validation-error".to_owned();
    state.faults.inject(Fault::new(Operation::Me, Effect::Redirect { location: location.clone() }));
    let response = handle(&mut state, START, &me());
    assert_eq!((response.status, header(&response, "location")), (302, Some(location.as_str())));
}

#[test]
fn connections_are_dropped_and_delayed() {
    let mut state = state();
    let delay = Duration::from_millis(30);
    state.faults.inject(Fault::new(Operation::Me, Effect::Latency { duration: delay }));
    state.faults.inject(Fault::new(Operation::Me, Effect::Drop));
    let response = handle(&mut state, START, &me());
    assert_eq!((response.delay, response.ending), (delay, Ending::Drop));
}
