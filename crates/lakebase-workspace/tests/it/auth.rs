//! The identities: which tokens they bring, and what they say when they cannot.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lakebase_core::refresh::Demand;
use lakebase_core::{Environment, Error, ErrorKind, Result, Runtime, Timestamp, UserResolver};
use lakebase_workspace::auth::Callback;
use lakebase_workspace::{AccessToken, Retry, TokenSource, WorkspaceClient, WorkspaceConfig};

use crate::support::*;

const ISSUER: &str = r#"{"oidc_endpoint":"https://w.example/other","account_id":"a"}"#;
const METADATA: &str = r#"{"token_endpoint":"https://w.example/other/token"}"#;

/// A client of [`HOST`] with this source of tokens and without any setting.
fn client_by(source: impl TokenSource + 'static, http: &Arc<FakeHttp>) -> WorkspaceClient {
    let config = WorkspaceConfig::builder().host(HOST).token_source(Arc::new(source));
    WorkspaceClient::new(config.build(&Environment::empty()).unwrap(), &runtime(http))
}

#[test]
fn a_service_principal_asks_the_documented_end_point_first() {
    let http = FakeHttp::new(token);
    assert_eq!(fetch(&client(M2M, &http)).unwrap(), "t0");
    let seen = &http.seen()[0];
    assert_eq!(seen.line(), "POST https://w.example/oidc/v1/token");
    assert_eq!(&seen.request.body()[..], b"grant_type=client_credentials&scope=all-apis");
    assert_eq!(seen.header("authorization"), Some("Basic YXBwLTE6ZG9zZS0wMTIzNDU2Nzg5YWJjZGVm"));
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(seen.header("user-agent").unwrap().ends_with("auth/oauth-m2m"));
}

#[test]
fn discovery_follows_a_404_and_is_remembered() {
    for with_config in [true, false] {
        let (client, http) = scripted(M2M, move |seen| match seen.path() {
            "/.well-known/databricks-config" if with_config => reply(200, ISSUER),
            "/other/.well-known/oauth-authorization-server" if with_config => reply(200, METADATA),
            "/oidc/.well-known/oauth-authorization-server" => reply(200, METADATA),
            "/other/token" => token(seen),
            "/api/2.0/preview/scim/v2/Me" if seen.number < 8 => reply(401, ""),
            "/api/2.0/preview/scim/v2/Me" => reply(200, r#"{"userName":"me"}"#),
            _ => reply(404, "<html>"),
        });
        let client = client.with_retry(Retry::NONE);
        assert_eq!(fetch(&client).unwrap(), "t3");
        run(client.current_user()).unwrap_err();
        let issuer = if with_config { "other" } else { "oidc" };
        let expected = [
            "POST https://w.example/oidc/v1/token".to_owned(),
            "GET https://w.example/.well-known/databricks-config".to_owned(),
            format!("GET https://w.example/{issuer}/.well-known/oauth-authorization-server"),
            "POST https://w.example/other/token".to_owned(),
            "GET https://w.example/api/2.0/preview/scim/v2/Me".to_owned(),
            "POST https://w.example/other/token".to_owned(),
        ];
        assert_eq!(http.lines()[..6], expected);
    }
}

#[test]
fn discovery_documents_carry_no_secret_and_lead_nowhere_else() {
    let http = FakeHttp::new(|seen| match seen.path() {
        CONFIG_PATH => reply(200, r#"{"oidc_endpoint":"https://w.example/oidc"}"#),
        METADATA_PATH => metadata("https://evil.example/token"),
        _ => reply(404, ""),
    });
    let said =
        "getting an OAuth token: https://w.example refers to evil.example, which is sent nothing";
    refused(fetch(&client(M2M, &http)), ErrorKind::Protocol, said);
    let sent = http.seen();
    assert_eq!(sent.len(), 3);
    assert!(sent[1..].iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn a_wrong_secret_names_both_settings() {
    const REFUSAL: &str = r#"{"error":"invalid_client","error_description":"no dose-0123456789abcdef YXBwLTE6ZG9zZS0wMTIzNDU2Nzg5YWJjZGVm"}"#;
    let http = FakeHttp::new(|_| reply(401, REFUSAL));
    let said = "asking the workspace for the current user: the workspace refused client id \"app-1\" from DATABRICKS_CLIENT_ID (environment variable) with the secret from DATABRICKS_CLIENT_SECRET (environment variable): https://w.example answered 401 invalid_client: no [redacted] [redacted]";
    refused(run(client(M2M, &http).current_user()), ErrorKind::Unauthenticated, said);
    assert_eq!(http.seen().len(), 1);
}

#[test]
fn a_callback_is_asked_for_tokens_and_told_about_force() {
    let http = FakeHttp::new(|seen| match seen.header("authorization") {
        Some("Bearer mine-1") => reply(200, r#"{"userName":"me"}"#),
        _ => reply(401, ""),
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let source = Callback::new(move |demand: Demand| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        assert_eq!(demand.force, number == 1);
        async move {
            let expires_at = Some(Timestamp::from_unix_millis(START + 3_600_000));
            let token = format!("mine-{number}");
            Ok(AccessToken { expires_at, ..AccessToken::new(token) })
        }
    });
    let config = WorkspaceConfig::builder()
        .host(HOST)
        .token_source(Arc::new(source))
        .product("my app", "1.2")
        .build(&Environment::from_pairs([PAT[0], M2M[0], M2M[1]]))
        .unwrap();
    assert_eq!(config.auth_type(), "callback");
    let client = WorkspaceClient::new(config, &runtime(&http));
    assert_eq!(&*run(client.current_user()).unwrap(), "me");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let agent = http.seen()[0].header("user-agent").unwrap().to_owned();
    assert!(agent.starts_with("my-app/1.2 lakebase-rust/"), "{agent}");
    assert!(agent.ends_with(" auth/callback"), "{agent}");
}

const CLI_TOKEN: &str =
    r#"{"access_token":"cli-secret","token_type":"Bearer","expiry":"2026-01-01T01:00:00.5+00:00"}"#;

/// A runtime whose programs answer (success, stdout, stderr).
fn programs(
    answer: impl Fn(&str) -> (bool, &'static str, &'static str) + Send + Sync + 'static,
) -> (Runtime, Calls) {
    let process = FakeProcess::new(move |line| {
        let (success, stdout, stderr) = answer(line);
        Some((success, stdout.to_owned(), stderr))
    });
    let (http, calls) = (FakeHttp::new(|_| reply(401, "")), Arc::clone(&process.calls));
    (Runtime { process: Arc::new(process), ..runtime(&http) }, calls)
}

#[test]
fn the_command_is_the_last_resort() {
    let (runtime, calls) = programs(|_| (true, CLI_TOKEN, ""));
    let client = client_on(&runtime, &[]);
    assert_eq!(client.auth_type(), "databricks-cli");
    assert_eq!(fetch(&client).unwrap(), "cli-secret");
    assert_eq!(*calls.lock().unwrap(), ["databricks auth token --host https://w.example"]);
    assert!(!format!("{client:?}").contains("cli-secret"));
}

#[test]
fn a_forced_token_is_asked_for_with_the_flag_where_there_is_one() {
    let (runtime, calls) = programs(|line| match line.contains("--force-refresh") {
        true => (false, "", "Error: unknown flag: --force-refresh"),
        false => (true, CLI_TOKEN, ""),
    });
    let client =
        client_on(&runtime, &[("DATABRICKS_CLI_PATH", "/opt/dbx")]).with_retry(Retry::NONE);
    for _ in 0..2 {
        run(client.current_user()).unwrap_err();
    }
    let expected = [
        "/opt/dbx auth token --host https://w.example",
        "/opt/dbx auth token --host https://w.example --force-refresh",
        "/opt/dbx auth token --host https://w.example",
        "/opt/dbx auth token --host https://w.example",
    ];
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[test]
fn the_command_says_what_to_do() {
    use ErrorKind::{Config, Protocol, Unauthenticated, Unavailable};
    let failed = |why| format!("`databricks auth token --host https://w.example` failed: {why}");
    let output = |problem| format!("the output of `databricks auth token` {problem}");
    for (stdout, stderr, kind, said) in [
        (
            "",
            "Error: databricks OAuth is not configured for this host",
            Unauthenticated,
            "no credentials are configured and the Databricks CLI is not logged in; run `databricks auth login --host https://w.example`, or set DATABRICKS_TOKEN",
        ),
        (
            "",
            "Usage: databricks [OPTIONS] COMMAND [ARGS]...\nError: No such command 'auth'.",
            Config,
            "\"databricks\" is the legacy Databricks CLI; install version 0.207.1 or later, or set databricks_cli_path (DATABRICKS_CLI_PATH)",
        ),
        (
            "",
            "Error: the refresh token is invalid eyJhbGciOiJub25lIn0.e30.x",
            Unauthenticated,
            &failed("Error: the refresh token is invalid [redacted]"),
        ),
        ("cli-secret", "dial tcp: cli-secret\n", Unavailable, &failed("dial tcp: [redacted]")),
        ("cli-secret", "", Protocol, &output("is not JSON")),
        (r#"{"access_token":"cli-secret"}"#, "", Protocol, &output("has no `expiry`")),
    ] {
        let (runtime, _) = programs(move |_| (stderr.is_empty(), stdout, stderr));
        let error = fetch(&client_on(&runtime, &[])).unwrap_err();
        assert!(error.report().starts_with(said), "{}", error.report());
        assert_eq!(error.kind(), kind, "{said}");
        assert!(!format!("{error:?}").contains("cli-secret"), "{error:?}");
    }
}

#[test]
fn a_missing_command_names_its_setting() {
    let http = FakeHttp::new(|_| None);
    let said = "no credentials are configured (DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET), and the Databricks CLI \"databricks\" could not be started; install it, or set databricks_cli_path (DATABRICKS_CLI_PATH): databricks is not on the path";
    refused(fetch(&client(&[], &http)), ErrorKind::Config, said);
    let pairs = [("DATABRICKS_AUTH_TYPE", "databricks-cli"), ("DATABRICKS_CLI_PATH", "/none")];
    let said = "the Databricks CLI \"/none\" could not be started; install it, or set databricks_cli_path (DATABRICKS_CLI_PATH): /none is not on the path";
    refused(fetch(&client(&pairs, &http)), ErrorKind::Config, said);
}

#[test]
fn a_source_that_fails_is_quoted_with_its_cause() {
    let source = Callback::new(|_| async {
        Err::<AccessToken, _>(Error::new(ErrorKind::PermissionDenied, "the vault is closed"))
    });
    let http = FakeHttp::new(|_| None);
    let error = run(client_by(source, &http).current_user()).unwrap_err();
    assert_eq!(error.report(), "asking the workspace for the current user: the vault is closed");
    assert!(http.seen().is_empty());
}

#[test]
fn a_known_end_point_that_is_gone_is_found_again() {
    let http = FakeHttp::new(|seen| match seen.path() {
        "/.well-known/databricks-config" => reply(200, ISSUER),
        "/other/.well-known/oauth-authorization-server" if seen.number < 4 => reply(200, METADATA),
        "/other/.well-known/oauth-authorization-server" => metadata("https://w.example/third"),
        "/other/token" if seen.number < 4 => token(seen),
        "/third" => token(seen),
        _ => reply(404, ""),
    });
    let client = client(M2M, &http);
    assert_eq!(fetch(&client).unwrap(), "t3");
    http.time.advance(std::time::Duration::from_secs(3601));
    assert_eq!(fetch(&client).unwrap(), "t7");
    assert_eq!(http.lines()[4], "POST https://w.example/other/token");
}

#[test]
fn discovery_that_may_work_later_is_not_replaced_by_a_guess() {
    let http = FakeHttp::new(|seen| match seen.path() {
        "/.well-known/databricks-config" => reply(503, ""),
        _ => reply(404, ""),
    });
    let error = fetch(&client(M2M, &http)).unwrap_err();
    assert_eq!(error.status(), Some(503));
    assert_eq!(http.count("/.well-known/oauth-authorization-server"), 0);
}

/// A source with a name that a header could not hold.
#[derive(Debug)]
struct Odd;

#[async_trait::async_trait]
impl TokenSource for Odd {
    async fn fetch(&self, _: Demand) -> Result<AccessToken> {
        Ok(AccessToken::new("odd"))
    }

    fn auth_type(&self) -> &str {
        "odd\nname"
    }
}

#[test]
fn an_own_source_is_named_in_the_user_agent() {
    let http = FakeHttp::new(|_| reply(401, ""));
    run(client_by(Odd, &http).current_user()).unwrap_err();
    assert!(http.seen()[0].header("user-agent").unwrap().ends_with(" auth/odd-name"));
}

#[test]
fn a_host_without_oauth_is_questioned() {
    let http = FakeHttp::new(|_| reply(404, "<html>"));
    let said = "getting an OAuth token: https://w.example has no token end point; is it a Databricks workspace?: https://w.example answered 404 Not Found (HTML body)";
    refused(fetch(&client(M2M, &http)), ErrorKind::NotFound, said);
}

#[test]
fn a_token_that_no_header_can_carry_is_not_quoted() {
    let source = Callback::new(|_| async { Ok(AccessToken::new("oops\nsecret")) });
    let http = FakeHttp::new(|_| None);
    let error = run(client_by(source, &http).current_user()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error:?}").contains("oops"), "{error:?}");
    assert!(http.seen().is_empty());
}

#[test]
fn a_callback_that_names_its_user_saves_a_request() {
    let source = Callback::new(|_| async { Err(Error::new(ErrorKind::Unsupported, "not asked")) });
    let client = client_by(source.user("me@example.com"), &FakeHttp::new(|_| None));
    assert_eq!(&*run(UserResolver::resolve(&client)).unwrap(), "me@example.com");
}
