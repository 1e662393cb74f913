//! Logins against scripted servers and services, in fake time: how often, when, with which token, and what
//! the caller is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod host;
mod token;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lakebase_core::connect::{
    Auth, ConnectPolicy, Connector, ConnectorConfig, LoadBalanceHosts, Sources, TcpOptions,
};
use lakebase_core::*;
use lakebase_testkit::mocks::{
    MockConnectionFactory, MockCredentialSource, MockEndpointResolver, MockUserResolver,
};
use lakebase_testkit::{FakeTime, fake_executor, fake_runtime};

const ENDPOINT: &str = "projects/shop/branches/production/endpoints/primary";
const HOST: &str = "ep-primary.database.example.com";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn endpoint(disabled: bool) -> Endpoint {
    Endpoint {
        name: ENDPOINT.parse::<EndpointName>().unwrap().into(),
        endpoint_type: EndpointType::ReadWrite,
        state: EndpointState::Active,
        disabled,
        hosts: EndpointHosts { host: Some(HOST.into()), ..EndpointHosts::default() },
        suspend_timeout: None,
    }
}

fn config() -> ConnectorConfig {
    ConnectorConfig {
        target: Some(ENDPOINT.parse().unwrap()),
        access: Access::ReadWrite,
        pooled: false,
        host: None,
        socket_directory: None,
        addresses: vec!["127.0.0.1".parse().unwrap()],
        port: 5432,
        database: "databricks_postgres".into(),
        user: None,
        auth: Auth::Credential { ttl: None, claims: Vec::new() },
        tls: Tls::default(),
        ssl_mode_origin: None,
        tcp: TcpOptions::default(),
        load_balance_hosts: LoadBalanceHosts::default(),
        require_auth: Default::default(),
        application_name: None,
        options: Vec::new(),
        policy: ConnectPolicy::default(),
    }
}

/// A service that always answers; tokens are numbered, and forced requests marked.
fn sources(time: &FakeTime) -> Sources {
    let (clock, count) = (time.clone(), Mutex::new(0));
    let mut credentials = MockCredentialSource::new();
    credentials.expect_fetch().returning(move |request| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let mark = if request.force { "!" } else { "" };
        Ok(DatabaseCredential {
            token: format!("t{count}{mark}").into(),
            expires_at: clock.real().saturating_add(seconds(3600)),
            served_at: Some(clock.real()),
        })
    });
    let mut endpoints = MockEndpointResolver::new();
    endpoints.expect_resolve().returning(|_, _| Ok(endpoint(false)));
    let mut users = MockUserResolver::new();
    users.expect_resolve().returning(|| Ok("app@example.com".into()));
    Sources {
        credentials: Some(Arc::new(credentials)),
        endpoints: Some(Arc::new(endpoints)),
        users: Some(Arc::new(users)),
    }
}

/// What the server does with each login in turn; afterwards it accepts.
#[derive(Clone, Copy)]
enum Server {
    Accepts,
    Refuses,
    /// The same, five seconds later.
    RefusesLate,
    Wakes,
    Resets,
    Fails(ErrorKind),
    Misdirected,
    /// The same, five seconds later.
    MisdirectedLate,
    Hangs,
}

/// A driver in front of such a server, and the passwords that it was given.
fn driver(time: &FakeTime, script: &[Server]) -> (Arc<Driver>, Arc<Mutex<Vec<String>>>) {
    let passwords = Arc::new(Mutex::new(Vec::new()));
    let driver = Driver {
        time: time.clone(),
        script: Mutex::new(script.iter().copied().collect()),
        passwords: Arc::clone(&passwords),
    };
    (Arc::new(driver), passwords)
}

#[derive(Debug)]
struct Driver {
    time: FakeTime,
    script: Mutex<VecDeque<Server>>,
    passwords: Arc<Mutex<Vec<String>>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

#[async_trait::async_trait]
impl ConnectionFactory for Driver {
    type Connection = String;
    type Error = Error;

    async fn connect(&self, params: &ConnectParams) -> Result<String> {
        let password = params.password.as_ref().map_or("", Secret::expose).to_owned();
        self.passwords.lock().unwrap().push(password);
        let step = self.script.lock().unwrap().pop_front();
        let Some(step) = step else { return Ok(format!("{}@{}", params.user, params.host)) };
        if matches!(step, Server::RefusesLate | Server::MisdirectedLate) {
            self.time.sleep(seconds(5)).await;
        }
        Err(match step {
            Server::Accepts => return Ok(params.user.to_string()),
            Server::Refuses | Server::RefusesLate => {
                Error::new(ErrorKind::LoginRefused, "password authentication failed")
            }
            Server::Wakes => Error::new(ErrorKind::Throttled, "the database system is starting up"),
            Server::Resets => Error::new(ErrorKind::Unavailable, "connection reset by peer"),
            Server::Fails(kind) => Error::new(kind, "no such thing"),
            Server::Misdirected | Server::MisdirectedLate => {
                Error::new(ErrorKind::InvalidRequest, "no such endpoint")
            }
            Server::Hangs => {
                self.time.sleep(seconds(3600)).await;
                Error::new(ErrorKind::Unavailable, "connection timed out")
            }
        })
    }

    fn classify(&self, error: &Error) -> ConnectFailure {
        match error.kind() {
            ErrorKind::LoginRefused => ConnectFailure::AuthRejected,
            ErrorKind::Throttled => ConnectFailure::Waking,
            ErrorKind::Unavailable => ConnectFailure::Transient,
            ErrorKind::InvalidRequest => ConnectFailure::UnknownEndpoint,
            kind => ConnectFailure::Permanent(kind),
        }
    }
}

/// Runs one connect: its outcome, the passwords used, and how much time passed.
fn check(config: ConnectorConfig, script: &[Server]) -> (Result<String>, Vec<String>, Duration) {
    let (time, spawn, runtime) = fake_executor();
    let start = time.monotonic();
    let connector = Connector::new(config, sources(&time), &runtime).unwrap();
    let (driver, passwords) = driver(&time, script);
    let outcome = spawn.run(async { connector.connect(&*driver).await });
    let passwords = passwords.lock().unwrap().clone();
    (outcome, passwords, time.monotonic() - start)
}

#[test]
fn a_login_that_works_takes_one_token_and_no_time() {
    let (outcome, passwords, took) = check(config(), &[]);
    assert_eq!(outcome.unwrap(), format!("app@example.com@{HOST}"));
    assert_eq!((passwords, took), (vec!["t1".to_owned()], Duration::ZERO));
}

/// A timer that nobody may ask.
#[derive(Debug)]
struct NoTimer;

impl Timer for NoTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        panic!("waits for {duration:?}")
    }
}

#[test]
fn what_is_done_at_once_needs_no_timer() {
    let time = FakeTime::new();
    let runtime = Runtime { timer: Arc::new(NoTimer), ..fake_runtime(&time, None) };
    let connector = Connector::new(config(), sources(&time), &runtime).unwrap();
    let done = futures::executor::block_on(connector.within(seconds(1), async { 7 }));
    assert_eq!(done, Some(7));
}

#[test]
fn a_refused_token_is_replaced_once_by_force() {
    let (outcome, passwords, took) = check(config(), &[Server::Refuses]);
    assert!(outcome.is_ok());
    assert_eq!((passwords, took), (vec!["t1".to_owned(), "t2!".to_owned()], Duration::ZERO));
}

#[test]
fn a_token_from_before_the_refusal_is_not_the_fresh_one() {
    let slow_login = |then: &[Server]| {
        let (time, spawn, runtime) = fake_executor();
        let connector = Connector::new(config(), sources(&time), &runtime).unwrap();
        // The second login is refused and replaces the token while the first one waits for its answer.
        let begin = [Server::RefusesLate, Server::Refuses, Server::Accepts];
        let (driver, passwords) = driver(&time, &[&begin, then].concat());
        let login = || connector.connect(&*driver);
        let both = futures::future::join(login(), login());
        let (slow, quick) = spawn.run(both);
        assert!(quick.is_ok());
        let passwords = passwords.lock().unwrap().clone();
        (slow, passwords)
    };
    let (outcome, passwords) = slow_login(&[]);
    assert!(outcome.is_ok());
    assert_eq!(passwords, ["t1", "t1", "t2!", "t2!"]);
    // All tokens are revoked before the first login is refused, so that one of before helps no more.
    let (outcome, passwords) = slow_login(&[Server::Refuses]);
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(passwords, ["t1", "t1", "t2!", "t2!", "t3!"]);
    let (outcome, passwords) = slow_login(&[Server::Refuses; 2]);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::LoginRefused);
    assert_eq!(passwords.len(), 5);
}

#[test]
fn a_refused_fresh_token_is_reported_with_likely_causes() {
    let (outcome, passwords, _) = check(config(), &[Server::Refuses, Server::Refuses]);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRefused);
    assert_eq!(passwords.len(), 2);
    let report = error.report();
    assert!(report.starts_with(&format!(
        "the login to database \"databricks_postgres\" at {HOST}:5432 as \"app@example.com\" was refused, also with a fresh token; likely causes: "
    )), "{report}");
    assert!(report.ends_with(": password authentication failed"), "{report}");
}

#[test]
fn waking_and_broken_networks_are_waited_for_with_the_same_token() {
    let script = [Server::Wakes, Server::Resets, Server::Wakes, Server::Wakes];
    let (outcome, passwords, took) = check(config(), &script);
    assert!(outcome.is_ok());
    assert_eq!(passwords, vec!["t1"; 5]);
    // At most 0.2 + 0.4 + 0.8 + 1.6 s of back-off.
    assert!(took <= seconds(3), "{took:?}");
}

#[test]
fn one_token_may_be_refused_while_the_compute_wakes() {
    let script = [Server::Wakes, Server::Refuses, Server::Wakes];
    let (outcome, passwords, _) = check(config(), &script);
    assert!(outcome.is_ok());
    assert_eq!(passwords, ["t1", "t1", "t2!", "t2!"]);
}

#[test]
fn permanent_failures_are_reported_at_once() {
    use ErrorKind::{Disabled, NotFound, PermissionDenied, Tls};
    for kind in [NotFound, Disabled, Tls, PermissionDenied] {
        let (outcome, passwords, took) = check(config(), &[Server::Fails(kind)]);
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), passwords.len(), took), (kind, 1, Duration::ZERO));
        assert!(error.report().ends_with(": no such thing"), "{}", error.report());
    }
}

#[test]
fn a_server_that_never_answers_ends_with_the_budget() {
    let (outcome, passwords, took) = check(config(), &[Server::Hangs; 9]);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!((4..=5).contains(&passwords.len()), "{passwords:?}");
    assert!(took <= seconds(60), "{took:?}");
    let report = error.report();
    assert!(report.contains("within 60s ("), "{report}");
    assert!(report.contains("the server did not answer within"), "{report}");
}

#[test]
fn failures_that_pass_end_with_the_budget_and_tell_the_last_cause() {
    let (outcome, _, took) = check(config(), &[Server::Resets; 200]);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(took <= seconds(60), "{took:?}");
    assert!(error.report().ends_with(": connection reset by peer"), "{}", error.report());
}

#[test]
fn an_attempt_that_the_budget_cuts_off_does_not_hide_the_cause() {
    let mut script = vec![Server::Wakes; 5];
    script.push(Server::Hangs);
    let policy = ConnectPolicy { budget: seconds(10), ..ConnectPolicy::default() };
    let (outcome, passwords, took) = check(ConnectorConfig { policy, ..config() }, &script);
    assert_eq!((passwords.len(), took), (6, seconds(10)));
    let report = outcome.unwrap_err().report();
    let last = report.find(" in the last attempt, and an earlier attempt failed: ");
    assert!(last < report.find(": the database system is starting up"), "{report}");
    assert!(last.is_some() && report.contains("within 10s (6 attempts)"), "{report}");
}

/// A clock that always shows the same moment.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn monotonic(&self) -> Duration {
        seconds(7)
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_millis(1_769_817_600_000)
    }
}

#[test]
fn a_clock_that_stands_still_does_not_make_a_login_endless() {
    let (time, spawn, runtime) = fake_executor();
    let runtime = Runtime { clock: Arc::new(Stopped), ..runtime };
    let connector = Connector::new(config(), sources(&time), &runtime).unwrap();
    let (driver, passwords) = driver(&time, &[Server::Resets; 1_000]);
    let error = spawn.run(async { connector.connect(&*driver).await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let attempts = passwords.lock().unwrap().len();
    assert!((12..300).contains(&attempts), "{attempts} attempts");
}

#[test]
fn a_native_password_is_never_retried_when_refused() {
    let native = ConnectorConfig {
        user: Some("native".into()),
        auth: Auth::Password("secret".into()),
        ..config()
    };
    let (outcome, passwords, took) = check(native, &[Server::Refuses]);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::LoginRefused);
    assert_eq!((passwords, took), (vec!["secret".to_owned()], Duration::ZERO));
}

#[test]
fn a_disabled_endpoint_is_asked_for_again_next_time() {
    let (time, spawn, runtime) = fake_executor();
    let mut endpoints = MockEndpointResolver::new();
    let mut order = mockall::Sequence::new();
    for disabled in [true, false] {
        endpoints
            .expect_resolve()
            .times(1)
            .in_sequence(&mut order)
            .returning(move |_, _| Ok(endpoint(disabled)));
    }
    let sources = Sources { endpoints: Some(Arc::new(endpoints)), ..sources(&time) };
    let connector = Connector::new(config(), sources, &runtime).unwrap();
    let mut factory = MockConnectionFactory::new();
    factory.expect_connect().times(1).returning(|_| Ok(7));
    let error = spawn.run(async { connector.connect(&factory).await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disabled);
    assert_eq!(spawn.run(async { connector.connect(&factory).await }).unwrap(), 7);
}

#[test]
fn what_is_missing_is_said_at_construction() {
    let time = FakeTime::new();
    let runtime = fake_runtime(&time, None);
    let no_target = ConnectorConfig { target: None, ..config() };
    let pooled = ConnectorConfig { pooled: true, ..config() };
    let no_auth = || ConnectorConfig { auth: Auth::Nothing, ..config() };
    let no_user = ConnectorConfig { host: Some("h".into()), ..no_auth() };
    for (config, sources, part) in [
        (config(), Sources::default(), "needs a workspace to mint it"),
        (no_target, sources(&time), "needs an endpoint, or a project and branch"),
        (pooled, sources(&time), "pooled hosts take native passwords only"),
        (no_auth(), Sources::default(), "neither a host nor a workspace"),
        (no_user, Sources::default(), "neither a user nor a workspace"),
    ] {
        let error = Connector::new(config, sources, &runtime).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn nothing_printed_holds_a_token() {
    let (time, spawn, runtime) = fake_executor();
    let native = ConnectorConfig { auth: Auth::Password("canary".into()), ..config() };
    let connector = Connector::new(native, sources(&time), &runtime).unwrap();
    let login = spawn.run(async { connector.login().await }).unwrap();
    assert_eq!(login.params.password.as_ref().unwrap().expose(), "canary");
    assert!(!format!("{connector:?} {login:?}").contains("canary"));
}
