//! Tests of the state, and a small one for the tests of others.

use super::*;

pub(crate) const PRIMARY: &str = "projects/demo/branches/production/endpoints/primary";

pub(crate) fn state() -> State {
    let credentials = Credentials {
        client_id: "app id ü".to_owned(),
        client_secret: "s3cret".to_owned(),
        user: "ada@example.com".to_owned(),
        pat: "dapi1".to_owned(),
        password_user: "app".to_owned(),
        password: "pw".to_owned(),
        request_token: "request1".to_owned(),
        tenant: "tenant1".to_owned(),
        azure_secret: "azure1".to_owned(),
        service_account: "app@example.com".to_owned(),
    };
    let config = Config::default()
        .max_connections(2)
        .session_idle_limit(Duration::from_secs(1_000))
        .session_age_limit(Duration::from_secs(3_000))
        .suspend_after(Duration::from_secs(300))
        .pat_lifetime(Duration::from_secs(60));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    State::new(now, config, "http://127.0.0.1:1".to_owned(), "7".to_owned(), credentials)
}

#[test]
fn suspension_ends_sessions() {
    let mut state = state();
    let logged_in = state.open_session(PRIMARY, Duration::ZERO);
    assert!(state.session_ready(logged_in, Some(42)));
    let underway = state.open_session(PRIMARY, Duration::ZERO);
    assert!(state.suspend(PRIMARY));
    assert!(!state.suspend("projects/nothing"));
    assert_eq!(state.take_actions(), [Action::Terminate(vec![42]), Action::Close(vec![underway])]);
    assert!(!state.session_ready(underway, Some(43)), "asleep again");
    state.close_session(logged_in, Duration::ZERO);
    assert_eq!(state.world.endpoint(PRIMARY).unwrap().counters.open, 1);
    assert_eq!(state.world.endpoint(PRIMARY).unwrap().counters.peak, 2);
}

#[test]
fn idle_endpoints_fall_asleep() {
    let mut state = state();
    state.sweep(Duration::from_secs(299));
    assert_eq!(state.world.endpoint(PRIMARY).unwrap().compute, Compute::Active);
    let session = state.open_session(PRIMARY, Duration::ZERO);
    state.touch(session, Duration::from_secs(299));
    state.sweep(Duration::from_secs(300));
    assert_eq!(state.world.endpoint(PRIMARY).unwrap().compute, Compute::Active);
    state.sweep(Duration::from_secs(599));
    assert_eq!(state.world.endpoint(PRIMARY).unwrap().compute, Compute::Suspended);
}

#[test]
fn tokens_expire_and_are_for_one_use() {
    let mut state = state();
    let now = state.clock.now(Duration::ZERO);
    let later = now + Duration::from_secs(10);
    let token = state.mint("x", TokenUse::Database, now, later);
    assert_eq!(state.verify(&token, TokenUse::Database, now), Some("x"));
    assert_eq!(state.verify(&token, TokenUse::Workspace, now), None);
    assert_eq!(state.verify(&token, TokenUse::Database, later), None);
    state.revoke_tokens();
    assert_eq!(state.verify(&token, TokenUse::Database, now), None);
    assert!(state.verify("dapi1", TokenUse::Workspace, now).is_some());
}

#[test]
fn sessions_end_when_idle_or_old() {
    let mut state = state();
    state.config.suspension.after = None;
    let at = Duration::from_secs;
    let idle = state.open_session(PRIMARY, Duration::ZERO);
    let busy = state.open_session(PRIMARY, Duration::ZERO);
    assert!(state.session_ready(idle, Some(1)) && state.session_ready(busy, Some(2)));
    state.touch(busy, at(999));
    state.sweep(at(999));
    assert_eq!(state.take_actions(), []);
    state.sweep(at(1_000));
    assert_eq!(state.take_actions(), [Action::Terminate(vec![1])]);
    state.close_session(idle, at(1_000));
    for second in [1_900, 2_800, 2_999] {
        state.touch(busy, at(second));
        state.sweep(at(second));
        assert_eq!(state.take_actions(), []);
    }
    state.touch(busy, at(3_000));
    state.sweep(at(3_000));
    assert_eq!(state.take_actions(), [Action::Terminate(vec![2])]);
}
