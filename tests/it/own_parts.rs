//! A program's own credential source, resolvers and driver in place of the connector's.

use std::sync::Arc;

use lakebase::core::{
    ConnectFailure, CredentialRequest, DatabaseCredential, Endpoint, EndpointHosts, EndpointName,
    EndpointState, EndpointType, Error, Secret, Target, Timestamp,
};
use lakebase::sqlx::{self, Connection as _};
use lakebase::{Access, ErrorKind, PoolOptions};
use lakebase_testkit::mocks::{
    MockConnectionFactory, MockCredentialSource, MockEndpointResolver, MockUserResolver,
};

use crate::support::{Setup, shared};

on_each_runtime! { sources_without_a_workspace a_driver_of_ones_own failures_of_own_parts }

/// Lives for an hour by a clock that nobody needs to agree with.
fn credential(token: &str) -> DatabaseCredential {
    let served = Timestamp::from_unix_millis(1_000_000);
    DatabaseCredential {
        token: Secret::new(token),
        expires_at: served.saturating_add(std::time::Duration::from_secs(3_600)),
        served_at: Some(served),
    }
}

fn endpoint(name: &str, host: &str) -> Endpoint {
    Endpoint {
        name: name.parse::<EndpointName>().unwrap().into(),
        endpoint_type: EndpointType::ReadWrite,
        state: EndpointState::Active,
        disabled: false,
        hosts: EndpointHosts { host: Some(host.into()), ..EndpointHosts::default() },
        suspend_timeout: None,
    }
}

/// Where the emulator's Postgres is, but nothing about its workspace.
fn setup() -> Setup {
    Setup::m2m(shared())
        .unset("DATABRICKS_HOST")
        .unset("DATABRICKS_CLIENT_ID")
        .unset("DATABRICKS_CLIENT_SECRET")
}

async fn sources_without_a_workspace() {
    let it = shared().description();
    let target = "projects/mine/branches/main";
    let name = "projects/mine/branches/main/endpoints/rw";
    let mut endpoints = MockEndpointResolver::new();
    endpoints
        .expect_resolve()
        .withf(move |asked, access| {
            matches!(asked, Target::Branch(_))
                && asked.to_string() == target
                && *access == Access::ReadWrite
        })
        .times(1)
        .returning(move |_, _| Ok(endpoint(name, &it.pg_host)));
    let mut credentials = MockCredentialSource::new();
    credentials
        .expect_fetch()
        .withf(move |request: &CredentialRequest| request.compute.to_string() == name)
        .times(1)
        .returning(move |_| Ok(credential(&it.password)));
    let mut users = MockUserResolver::new();
    users.expect_resolve().times(1).returning(move || Ok(it.password_user.as_str().into()));

    let lakebase = setup()
        .branch("mine", "main")
        .builder()
        .endpoint_resolver(Arc::new(endpoints))
        .credential_source(Arc::new(credentials))
        .user_resolver(Arc::new(users))
        .build()
        .unwrap();
    assert!(lakebase.workspace().is_none());
    let pool = lakebase.pool(PoolOptions::new().max_connections(2)).await.unwrap();
    let user: String =
        sqlx::query_scalar("select current_user::text").fetch_one(&pool).await.unwrap();
    assert_eq!(user, it.password_user);
    lakebase.connect().await.unwrap().close().await.unwrap();
    assert!(pool.close().await);
}

async fn a_driver_of_ones_own() {
    let lakebase = Setup::m2m(shared()).build();
    let expected = shared().description().client_id.clone();
    let mut driver = MockConnectionFactory::new();
    let mut calls = 0;
    let mut tokens: Vec<Secret> = Vec::new();
    driver.expect_connect().times(3).returning(move |params| {
        assert_eq!(*params.user, *expected);
        let token = params.password.clone().unwrap();
        calls += 1;
        match calls {
            1 => {
                tokens.push(token);
                Err(Error::new(ErrorKind::LoginRefused, "no"))
            }
            2 => {
                assert!(!tokens[0].same_as(&token), "a fresh token after a refusal");
                Err(Error::new(ErrorKind::Unavailable, "not yet"))
            }
            _ => Ok(7),
        }
    });
    driver.expect_classify().times(2).returning(|error| match error.kind() {
        ErrorKind::LoginRefused => ConnectFailure::AuthRejected,
        _ => ConnectFailure::Waking,
    });
    assert_eq!(lakebase.connector().connect(&driver).await.unwrap(), 7);
}

async fn failures_of_own_parts() {
    let mut credentials = MockCredentialSource::new();
    credentials
        .expect_fetch()
        .times(1)
        .returning(|_| Err(Error::new(ErrorKind::PermissionDenied, "the vault is sealed")));
    let builder = setup().set("PGUSER", "somebody").set("PGHOST", &shared().description().pg_host);
    let lakebase = builder.builder().credential_source(Arc::new(credentials)).build().unwrap();
    let error = lakebase.connect().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.report().ends_with("the vault is sealed"), "{}", error.report());
}
