//! Id tokens in variables and files, and their exchange.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::{ErrorKind, UserResolver};
use lakebase_workspace::{Retry, WorkspaceClient, WorkspaceConfig};

use crate::support::*;

const GRANT: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&scope=all-apis&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&subject_token=";

/// Ended at the start of every test: {"exp":1767225600}.
const EXPIRED: &str = "e30.eyJleHAiOjE3NjcyMjU2MDB9.sig";

const FILE: (&str, &str) = ("DATABRICKS_OIDC_TOKEN_FILEPATH", "/run/token");
const BY_FILE: (&str, &str) = ("DATABRICKS_AUTH_TYPE", "file-oidc");
const CLIENT: (&str, &str) = ("DATABRICKS_CLIENT_ID", "app-1");

fn build(
    pairs: &[(&str, &str)],
    file: &str,
) -> (lakebase_core::Result<WorkspaceConfig>, Surroundings) {
    let entries = [&[("DATABRICKS_HOST", HOST), (FILE.1, file)], pairs].concat();
    let entries = surroundings(&entries);
    (WorkspaceConfig::from_environment(&environment(&entries)), entries)
}

/// A client with these variables, whose token file holds `file`; and where both can be changed.
fn federated(
    pairs: &[(&str, &str)],
    file: &str,
    http: &Arc<FakeHttp>,
) -> (WorkspaceClient, Surroundings) {
    let (config, entries) = build(pairs, file);
    let client = WorkspaceClient::new(config.unwrap(), &runtime(http));
    (client.with_retry(Retry::NONE), entries)
}

fn change(entries: &Surroundings, name: &str, value: Result<&str, io::ErrorKind>) {
    entries.lock().unwrap().insert(name.to_owned(), value.map(str::to_owned));
}

#[test]
fn a_token_file_is_exchanged_for_the_service_principal() {
    let http = FakeHttp::new(token);
    let (client, _) = federated(&[FILE, BY_FILE, CLIENT], " id.1.x\n", &http);
    assert_eq!(client.auth_type(), "file-oidc");
    assert_eq!(fetch(&client).unwrap(), "t0");
    let seen = &http.seen()[0];
    assert_eq!(seen.line(), "POST https://w.example/oidc/v1/token");
    assert_eq!(seen.body(), format!("{GRANT}id.1.x&client_id=app-1"));
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("authorization"), None);
    assert!(seen.header("user-agent").unwrap().ends_with(" auth/file-oidc"));
    assert_eq!(&*run(UserResolver::resolve(&client)).unwrap(), "app-1");
    assert_eq!(http.seen().len(), 1, "the user is known by the client id");
}

#[test]
fn without_a_client_id_the_account_decides_and_the_user_is_asked_for() {
    let http = FakeHttp::new(|seen| match seen.path() {
        "/oidc/v1/token" => token(seen),
        _ => reply(200, r#"{"userName":"me@example.com"}"#),
    });
    let (client, _) = federated(&[FILE], "id", &http);
    assert_eq!(&*run(UserResolver::resolve(&client)).unwrap(), "me@example.com");
    assert_eq!(http.seen()[0].body(), format!("{GRANT}id"));
    assert_eq!(http.seen()[1].header("authorization"), Some("Bearer t0"));
}

#[test]
fn a_rotated_file_is_read_for_the_next_exchange() {
    let http = FakeHttp::new(token);
    let (client, entries) = federated(&[FILE], "id-1", &http);
    assert_eq!(fetch(&client).unwrap(), "t0");
    change(&entries, FILE.1, Ok("id-2"));
    assert_eq!(fetch(&client).unwrap(), "t0", "the workspace's token still lives");
    http.time.advance(Duration::from_secs(3601));
    assert_eq!(fetch(&client).unwrap(), "t1");
    assert_eq!(http.seen()[1].body(), format!("{GRANT}id-2"));
}

#[test]
fn a_variable_is_read_for_every_exchange_too() {
    for (pairs, name) in [
        (vec![("DATABRICKS_OIDC_TOKEN", "id-1")], "DATABRICKS_OIDC_TOKEN"),
        (vec![("DATABRICKS_OIDC_TOKEN_ENV", "MY_TOKEN"), ("MY_TOKEN", "id-1")], "MY_TOKEN"),
    ] {
        let http = FakeHttp::new(token);
        let (client, entries) = federated(&pairs, "", &http);
        assert_eq!(client.auth_type(), "env-oidc");
        fetch(&client).unwrap();
        change(&entries, name, Ok("id-2"));
        http.time.advance(Duration::from_secs(3601));
        fetch(&client).unwrap();
        let bodies: Vec<_> = http.seen().iter().map(Seen::body).collect();
        assert_eq!(bodies, [format!("{GRANT}id-1"), format!("{GRANT}id-2")]);
    }
}

#[test]
fn the_older_name_of_the_file_variable_counts_unless_the_newer_is_set() {
    let old = ("DATABRICKS_OIDC_TOKEN_FILE", "/run/other");
    let http = FakeHttp::new(token);
    for (pairs, sent) in [(vec![old], "old"), (vec![old, FILE], "new")] {
        let (client, entries) = federated(&pairs, "new", &http);
        change(&entries, old.1, Ok("old"));
        fetch(&client).unwrap();
        assert_eq!(http.seen().last().unwrap().body(), format!("{GRANT}{sent}"));
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_is_wrong() {
    use io::ErrorKind::{InvalidData, IsADirectory, NotFound, Other, PermissionDenied};
    for (file, said) in [
        (Err(NotFound), "does not exist: entity not found"),
        (Err(IsADirectory), "is a folder; name the file in it: is a directory"),
        (Err(PermissionDenied), "may not be read by this process: permission denied"),
        (Err(InvalidData), "is not text: invalid data"),
        (Err(Other), "cannot be read: other error"),
        (Ok(" \n"), "is empty"),
        (Ok("hush hush"), "has a blank, a line break or another character that no token has"),
    ] {
        let http = FakeHttp::new(token);
        let (client, entries) = federated(&[FILE], "", &http);
        change(&entries, FILE.1, file);
        let error = fetch(&client).unwrap_err();
        let file = "/run/token from DATABRICKS_OIDC_TOKEN_FILEPATH (environment variable)";
        assert_eq!(error.report(), format!("the token file {file} {said}"));
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(http.seen().is_empty());
        assert!(!format!("{error:?}").contains("hush"));
    }
}

#[test]
fn a_refused_id_token_is_explained() {
    let by_file = "the workspace refused the id token in /run/token from DATABRICKS_OIDC_TOKEN_FILEPATH (environment variable) for client id \"app-1\" from DATABRICKS_CLIENT_ID (environment variable); compare the token's issuer, audience and subject with the service principal's federation policy: https://w.example answered 400 invalid_grant: no e30.[redacted]";
    let expired = "the workspace refused the id token in /run/token from DATABRICKS_OIDC_TOKEN_FILEPATH (environment variable); it expired 0 s ago by this machine's clock, and needs to be renewed: https://w.example answered 400 invalid_grant: no [redacted]";
    let by_variable = "the workspace refused the id token in DATABRICKS_OIDC_TOKEN (environment variable); compare the token's issuer, audience and subject with the account's federation policy, or set client_id (DATABRICKS_CLIENT_ID): https://w.example answered 400 invalid_grant: no e30.[redacted]";
    let refusal =
        r#"{"error":"invalid_grant","error_description":"no e30.eyJleHAiOjE3NjcyMjU2MDB9.sig"}"#;
    for (pairs, text, said) in [
        (vec![FILE, BY_FILE, CLIENT], "id.no.expiry", by_file),
        (vec![FILE], EXPIRED, expired),
        (vec![("DATABRICKS_OIDC_TOKEN", "id")], "", by_variable),
    ] {
        let http = FakeHttp::new(move |_| reply(400, refusal));
        let (client, _) = federated(&pairs, text, &http);
        refused(fetch(&client), ErrorKind::Unauthenticated, said);
    }
}

#[test]
fn a_refused_exchange_is_tried_again_later_with_the_file_of_then() {
    let http = FakeHttp::new(|seen| {
        let good = seen.body().ends_with("good");
        if good { token(seen) } else { reply(400, r#"{"error":"invalid_grant"}"#) }
    });
    let (client, entries) = federated(&[FILE], "stale", &http);
    fetch(&client).unwrap_err();
    change(&entries, FILE.1, Ok("good"));
    http.time.advance(Duration::from_secs(10));
    assert_eq!(fetch(&client).unwrap(), "t1");
}

#[test]
fn the_exchange_follows_discovery_where_the_documented_end_point_is_missing() {
    let http = FakeHttp::new(|seen| match seen.path() {
        METADATA_PATH => metadata("https://w.example/elsewhere"),
        "/elsewhere" => token(seen),
        _ => reply(404, ""),
    });
    let (client, _) = federated(&[FILE], "id", &http);
    assert_eq!(fetch(&client).unwrap(), "t3");
    assert_eq!(http.seen()[3].body(), format!("{GRANT}id"));
}

#[test]
fn a_workspace_that_is_down_is_said_to_be() {
    let http = FakeHttp::new(|_| reply(503, ""));
    let (client, _) = federated(&[FILE], "id", &http);
    let error = fetch(&client).unwrap_err();
    assert!(error.is_transient());
    assert!(error.report().starts_with("exchanging the id token in /run/token"), "{error}");
}

#[test]
fn several_methods_are_ambiguous_as_in_the_sdks() {
    let said = "more than one authorization method configured: file-oidc and oauth; set by DATABRICKS_CLIENT_ID (environment variable), DATABRICKS_OIDC_TOKEN_FILEPATH (environment variable); remove one, or set auth_type (DATABRICKS_AUTH_TYPE)";
    refused(build(&[FILE, CLIENT], "id").0, ErrorKind::Config, said);
    let said = "DATABRICKS_AUTH_TYPE (environment variable): file-oidc needs oidc_token_filepath (DATABRICKS_OIDC_TOKEN_FILEPATH), which is not set";
    refused(config(&[BY_FILE]), ErrorKind::Config, said);
    // The variable with the token is no setting, so a client id beside it is no second method.
    let config = config(&[("DATABRICKS_OIDC_TOKEN", "id"), CLIENT]).unwrap();
    assert_eq!(config.auth_type(), "env-oidc");
}
