//! Tests of the decisions at login.

use std::time::Duration;

use super::*;
use crate::fault::Fault;
use crate::state::tests::{PRIMARY, state};
use crate::world::INSTANCE;

const START: Duration = Duration::ZERO;
const SLEEPY: &str = "projects/demo/branches/dev/endpoints/sleepy";
const ADA: &str = "ada@example.com";

fn startup(user: &str) -> Startup {
    Startup { version: 196_608, parameters: vec![("user".to_owned(), user.to_owned())] }
}

/// The route to the host of this endpoint.
fn to(state: &mut State, endpoint: &str) -> Route {
    let host = state.world.endpoint(endpoint).unwrap().host();
    route(state, Some(&host), None).unwrap()
}

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> (String, String) {
    let refusal = result.unwrap_err();
    (refusal.sqlstate, refusal.message)
}

#[test]
fn routes_by_name_then_by_option() {
    let mut state = state();
    let endpoint = state.world.endpoint(PRIMARY).unwrap();
    let (host, pooled, uid) =
        (endpoint.host(), endpoint.pooled_host().unwrap(), endpoint.uid.clone());
    let direct = Route { endpoint: PRIMARY.to_owned(), pooled: false, read_only: false };
    assert_eq!(route(&mut state, Some(&host), None), Ok(direct.clone()));
    assert_eq!(route(&mut state, Some(&host.to_uppercase()), None), Ok(direct.clone()));
    assert_eq!(route(&mut state, None, Some(&uid)), Ok(direct.clone()));
    assert_eq!(route(&mut state, Some("localhost"), Some(&uid)), Ok(direct.clone()));
    assert_eq!(route(&mut state, Some(&pooled), None), Ok(Route { pooled: true, ..direct }));
    for (sni, option, text) in [
        (None, None, "Endpoint ID is not specified"),
        (Some("localhost"), None, "Endpoint ID is not specified"),
        (Some("ep-other.example"), None, "endpoint cannot be found"),
        (Some(host.as_str()), Some("ep-other"), "Inconsistent endpoint name"),
    ] {
        let (sqlstate, message) = code(route(&mut state, sni, option));
        assert_eq!(sqlstate, "XX000");
        assert!(message.contains(text), "{message}");
    }
    let disabled = state.world.endpoints.iter().find(|e| e.disabled).unwrap().host();
    assert!(code(route(&mut state, Some(&disabled), None)).1.contains("endpoint is disabled"));
}

#[test]
fn tokens_are_checked_against_identity_and_time() {
    let mut state = state();
    let here = to(&mut state, PRIMARY);
    let pooled = Route { pooled: true, ..here.clone() };
    let now = state.clock.now(START);
    let late = Duration::from_secs(10);
    let token = state.mint(ADA, TokenUse::Database, now, now + late);
    let workspace = state.mint(ADA, TokenUse::Workspace, now, now + late);
    let check = |real, route: &Route, user: &str, password: &str| {
        authenticate(&state, real, route, &startup(user), password)
    };
    assert_eq!(check(START, &here, ADA, &token), Ok(()));
    assert_eq!(check(START, &here, "app", "pw"), Ok(()));
    assert_eq!(check(START, &pooled, "app", "pw"), Ok(()));
    let failed = "password authentication failed";
    let stranger = "Invalid authorization for databricks identity login";
    for (real, route, user, password, sqlstate, text) in [
        (late, &here, ADA, token.as_str(), "28P01", "password authentication failed for user"),
        (START, &here, ADA, "made.up.token", "28P01", failed),
        (START, &here, ADA, &workspace, "28P01", failed),
        (START, &here, "app id ü", &token, "28000", stranger),
        (START, &here, "nobody", &token, "28000", "role \"nobody\" does not exist"),
        (START, &here, "app", "wrong", "28P01", failed),
        (START, &pooled, ADA, &token, "28P01", "not accepted on pooled connections"),
    ] {
        let (got, message) = code(check(real, route, user, password));
        assert_eq!(got, sqlstate, "{message}");
        assert!(message.contains(text), "{message}");
    }
}

#[test]
fn credentials_of_instances_open_these_instances_only() {
    let mut state = state();
    state.world.add_instance("second", false).unwrap();
    let now = state.clock.now(START);
    let later = now + Duration::from_secs(10);
    let for_endpoints = state.mint(ADA, TokenUse::Database, now, later);
    let for_any = state.mint(ADA, TokenUse::Instance, now, later);
    let for_demo = state.mint(ADA, TokenUse::Instance, now, later);
    state.limit_to_instances(&for_demo, vec![INSTANCE.to_owned()]);
    let demo = state.world.endpoint(INSTANCE).unwrap();
    let hosts = [demo.host(), demo.read_only_host().unwrap()];
    let [demo, secondaries] = hosts.map(|host| route(&mut state, Some(&host), None).unwrap());
    assert_eq!((demo.read_only, secondaries.read_only), (false, true));
    let second = to(&mut state, "instances/second");
    let here = to(&mut state, PRIMARY);
    for (route, token, opens) in [
        (&demo, &for_demo, true),
        (&secondaries, &for_demo, true),
        (&second, &for_demo, false),
        (&here, &for_demo, false),
        (&demo, &for_any, true),
        (&second, &for_any, true),
        (&here, &for_any, false),
        (&demo, &for_endpoints, false),
        (&here, &for_endpoints, true),
    ] {
        let checked = authenticate(&state, START, route, &startup(ADA), token);
        let refused = checked.err().map(|refusal| refusal.sqlstate);
        assert_eq!(refused.as_deref(), (!opens).then_some("28P01"), "{route:?}");
    }
    let stopped = state.world.endpoint("instances/archive").unwrap().host();
    assert!(code(route(&mut state, Some(&stopped), None)).1.contains("is disabled"));
    let elsewhere = "instance-00000000-0000-4000-a000-000000000000.database.emulator.lakebase.test";
    assert!(code(route(&mut state, Some(elsewhere), None)).1.contains("cannot be found"));
}

#[test]
fn sleepers_wake_once_in_each_style() {
    for style in [WakeStyle::Hold, WakeStyle::StartingUp, WakeStyle::Paused, WakeStyle::Drop] {
        let mut state = state();
        state.config.suspension.style = style;
        let sleepy = to(&mut state, SLEEPY);
        match (style, decide(&mut state, START, &sleepy)) {
            (WakeStyle::Hold, Decision::Wait(time)) => assert_eq!(time, Duration::from_millis(500)),
            (WakeStyle::StartingUp, Decision::Refuse(refusal)) => {
                assert_eq!(refusal.sqlstate, "57P03")
            }
            (WakeStyle::Paused, Decision::Refuse(refusal)) => {
                assert_eq!(refusal.sqlstate, "XX000");
                assert_eq!(refusal.detail, Some("This could be due to paused instances"));
            }
            (WakeStyle::Drop, Decision::Close) => {}
            (style, decision) => panic!("{style:?} gave {decision:?}"),
        }
        assert_ne!(decide(&mut state, Duration::from_millis(499), &sleepy), Decision::Accept);
        assert_eq!(decide(&mut state, Duration::from_millis(500), &sleepy), Decision::Accept);
        assert_eq!(state.world.endpoint(SLEEPY).unwrap().counters.wakes, 1);
    }
}

#[test]
fn sessions_are_limited_and_starting_computes_refuse() {
    let mut state = state();
    let here = to(&mut state, PRIMARY);
    let first = state.open_session(PRIMARY, START);
    state.open_session(PRIMARY, START);
    let decision = decide(&mut state, START, &here);
    assert!(matches!(&decision, Decision::Refuse(it) if it.sqlstate == "53300"), "{decision:?}");
    state.close_session(first, START);
    assert_eq!(decide(&mut state, START, &here), Decision::Accept);
    let fresh = to(&mut state, "projects/demo/branches/fresh/endpoints/starting");
    assert_eq!(decide(&mut state, START, &fresh), starting_up());
}

#[test]
fn faults_refuse() {
    let mut state = state();
    let blocks = Fault::new(Operation::Login, Effect::BlockAddress);
    state.faults.inject(blocks.only("ep-primary").times(1));
    assert!(faults(&mut state, "ep-replica").is_empty());
    let effects = faults(&mut state, "ep-primary-1");
    assert!(refusal(&effects[0]).unwrap().message.contains("is blocked by Databricks IP ACL"));
    let effect = Effect::refuse("28P01", "no");
    assert_eq!(refusal(&effect), Some(Refusal::new("28P01", "no")));
    assert_eq!(refusal(&Effect::Drop), None);
}
