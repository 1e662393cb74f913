//! Where tokens go, and how the server is verified then.

use std::sync::Arc;

use lakebase_core::Tls;
use lakebase_core::connect::{Auth, Connector, ConnectorConfig, Login};
use lakebase_core::{Access, EndpointHosts, ErrorKind, Result, SettingOrigin, SslMode, Target};
use lakebase_testkit::mocks::MockEndpointResolver;
use lakebase_testkit::{FakeTime, fake_executor, fake_runtime};

use super::{HOST, config, endpoint, sources};

/// One login that is put together, with the service that [`sources`] plays.
fn login(config: ConnectorConfig) -> Result<Login> {
    let (time, spawn, runtime) = fake_executor();
    let mut endpoints = MockEndpointResolver::new();
    endpoints.expect_resolve().returning(|_, _| {
        let mut found = endpoint(false);
        found.hosts = EndpointHosts {
            host: Some(HOST.into()),
            read_only_host: Some("ep-ro.example.com".into()),
            ..EndpointHosts::default()
        };
        Ok(found)
    });
    let sources =
        lakebase_core::connect::Sources { endpoints: Some(Arc::new(endpoints)), ..sources(&time) };
    let connector = Connector::new(config, sources, &runtime)?;
    spawn.run(async { connector.login().await })
}

fn with_mode(mode: SslMode) -> ConnectorConfig {
    let origin = SettingOrigin::Environment("PGSSLMODE".into());
    let tls = Tls { mode, ..Tls::default() };
    ConnectorConfig { tls, ssl_mode_origin: Some(origin), ..config() }
}

const WEAK: [SslMode; 4] = [SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa];

#[test]
fn weak_modes_are_raised_for_tokens() {
    for mode in WEAK {
        let found = login(with_mode(mode)).unwrap();
        assert_eq!(found.params.tls.mode, SslMode::VerifyFull, "{mode}");
        let named = ConnectorConfig { host: Some(HOST.into()), ..with_mode(mode) };
        assert_eq!(login(named).unwrap().params.tls.mode, SslMode::VerifyFull, "{mode}");
    }
}

#[test]
fn native_passwords_keep_the_mode() {
    for mode in WEAK.into_iter().chain([SslMode::Disable]) {
        let native = ConnectorConfig { auth: Auth::Password("p".into()), ..with_mode(mode) };
        assert_eq!(login(native).unwrap().params.tls.mode, mode);
    }
}

#[test]
fn this_machine_keeps_the_mode() {
    for mode in WEAK.into_iter().chain([SslMode::Disable]) {
        let local = ConnectorConfig { host: Some("localhost".into()), ..with_mode(mode) };
        assert_eq!(login(local).unwrap().params.tls.mode, mode);
    }
}

#[test]
fn disable_is_refused_with_its_origin() {
    let error = login(with_mode(SslMode::Disable)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    let start =
        "PGSSLMODE (environment variable): sslmode disable would send a token to ep-primary";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("allow, prefer, require and verify-ca are raised"), "{text}");
}

#[test]
fn a_configured_host_must_be_one_of_the_endpoints() {
    let to = |host: &str| login(ConnectorConfig { host: Some(host.into()), ..config() });
    // The case of letters and a final dot do not matter in DNS.
    for host in
        [HOST.to_owned(), HOST.to_uppercase(), format!("{HOST}."), "ep-ro.example.com".into()]
    {
        assert_eq!(&*to(&host).unwrap().params.host, host);
    }
    let error = to("evil.example.com").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    for part in [
        "evil.example.com is not a host of projects/",
        "only to hosts that the workspace reports",
        HOST,
    ] {
        assert!(text.contains(part), "{text}");
    }
    let native = ConnectorConfig {
        host: Some("elsewhere.example.com".into()),
        auth: Auth::Password("p".into()),
        ..config()
    };
    assert!(login(native).is_ok(), "a native password goes where the program says");
}

#[test]
fn pooled_hosts_are_refused_before_anything_is_asked() {
    for (host, target) in [
        (Some("ep-1-pooler.example.com".into()), config().target),
        (None, Some(Target::Host("ep-1-pooler.example.com".into()))),
    ] {
        let pooled = ConnectorConfig { host, target, ..config() };
        let time = FakeTime::new();
        let error = Connector::new(pooled, sources(&time), &fake_runtime(&time, None)).unwrap_err();
        assert!(error.to_string().contains("takes native passwords only"), "{error}");
    }
}

#[test]
fn a_host_alone_is_connected_to_as_it_was_written() {
    let target = Some(Target::Host("ep-ro.example.com".into()));
    let found = login(ConnectorConfig { target: target.clone(), ..config() }).unwrap();
    assert_eq!(&*found.params.host, "ep-ro.example.com");
    assert!(found.params.password.is_some());
    // For reads the endpoint decides, as it may have another host for them.
    let target = Some(Target::Host(HOST.into()));
    let reads = ConnectorConfig { target, access: Access::ReadOnly, ..config() };
    assert_eq!(&*login(reads).unwrap().params.host, "ep-ro.example.com");
}
