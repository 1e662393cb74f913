//! Identities of Google.

use std::sync::Arc;

use lakebase_core::{ErrorKind, Result};
use lakebase_workspace::{WorkspaceClient, WorkspaceConfig};

use crate::support::*;

const ACCOUNT: (&str, &str) =
    ("DATABRICKS_GOOGLE_SERVICE_ACCOUNT", "app@project.iam.gserviceaccount.com");

/// `{"exp":1767229200}`
const ID_TOKEN: &str = "e30.eyJleHAiOjE3NjcyMjkyMDB9.x";

const USER: &str = r#"{"type":"authorized_user","client_id":"gcloud","client_secret":"hush-secret","refresh_token":"hush-refresh"}"#;

/// A client with these variables and files, and what answers it.
fn with_files(
    pairs: &[(&str, &str)],
    files: &[(&str, &str)],
    handler: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static,
) -> Result<(WorkspaceClient, Arc<FakeHttp>)> {
    let there = [("DATABRICKS_HOST", HOST), ("HOME", "/home/me")];
    let entries = surroundings(&[&there, pairs, files].concat());
    let config = WorkspaceConfig::from_environment(&environment(&entries))?;
    let http = FakeHttp::new(handler);
    Ok((WorkspaceClient::new(config, &runtime(&http)), http))
}

fn google(seen: &Seen) -> Option<Answer> {
    const REST: &str = r#""expires_in":3599,"token_type":"Bearer""#;
    let path = seen.path();
    if path.ends_with(":generateIdToken") {
        return reply(200, format!(r#"{{"token":"{ID_TOKEN}"}}"#));
    }
    if path.ends_with(":generateAccessToken") {
        return reply(200, r#"{"accessToken":"access-1","expireTime":"2026-01-01T01:00:00Z"}"#);
    }
    match path {
        "/token" if seen.body().contains("assertion") => {
            reply(200, format!(r#"{{"id_token":"{ID_TOKEN}","access_token":"access-2",{REST}}}"#))
        }
        "/api/2.0/preview/scim/v2/Me" => reply(200, r#"{"userName":"app"}"#),
        _ => reply(200, format!(r#"{{"access_token":"own-token",{REST}}}"#)),
    }
}

#[test]
fn a_machine_stands_for_the_service_account() {
    let (client, http) = with_files(&[ACCOUNT], &[], google).unwrap();
    assert_eq!(client.auth_type(), "google-id");
    run(client.current_user()).unwrap();
    const IAM: &str = "POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/app@project.iam.gserviceaccount.com";
    let expected = [
        "GET http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token".to_owned(),
        format!("{IAM}:generateIdToken"),
        format!("{IAM}:generateAccessToken"),
        format!("GET {HOST}/api/2.0/preview/scim/v2/Me"),
    ];
    assert_eq!(http.lines(), expected);
    let seen = http.seen();
    assert_eq!(seen[0].header("metadata-flavor"), Some("Google"));
    assert_eq!(seen[1].header("authorization"), Some("Bearer own-token"));
    let expected = br#"{"audience":"https://w.example","delegates":null,"includeEmail":true}"#;
    assert_eq!(&seen[1].request.body()[..], expected);
    assert_eq!(seen[3].header("authorization"), Some(&*format!("Bearer {ID_TOKEN}")));
    assert_eq!(seen[3].header("x-databricks-gcp-sa-access-token"), Some("access-1"));
}

#[test]
fn a_user_of_gcloud_stands_for_it_too() {
    for (pairs, path) in [
        (vec![("GOOGLE_APPLICATION_CREDENTIALS", "/key")], "/key"),
        (vec![], "/home/me/.config/gcloud/application_default_credentials.json"),
        (vec![("CLOUDSDK_CONFIG", "/sdk")], "/sdk/application_default_credentials.json"),
    ] {
        let pairs = [&pairs[..], &[ACCOUNT]].concat();
        let (client, http) = with_files(&pairs, &[(path, USER)], google).unwrap();
        run(client.access_token()).unwrap();
        let seen = &http.seen()[0];
        assert_eq!(seen.line(), "POST https://oauth2.googleapis.com/token");
        let expected = b"grant_type=refresh_token&client_id=gcloud&client_secret=hush-secret&refresh_token=hush-refresh";
        assert_eq!(&seen.request.body()[..], expected);
    }
}

#[test]
fn the_second_token_is_not_essential() {
    let handler = |seen: &Seen| match seen.path().ends_with(":generateAccessToken") {
        true => reply(403, ""),
        false => google(seen),
    };
    let (client, http) = with_files(&[ACCOUNT], &[], handler).unwrap();
    run(client.current_user()).unwrap();
    assert_eq!(http.seen()[3].header("x-databricks-gcp-sa-access-token"), None);
}

#[test]
fn a_refusal_of_google_is_quoted() {
    const REFUSAL: &str = r#"{"error":{"code":403,"message":"Permission denied for own-token","status":"PERMISSION_DENIED"}}"#;
    let handler = |seen: &Seen| match seen.path().ends_with(":generateIdToken") {
        true => reply(403, REFUSAL),
        false => google(seen),
    };
    let (client, _) = with_files(&[ACCOUNT], &[], handler).unwrap();
    let said = "getting an id token of the service account app@project.iam.gserviceaccount.com from DATABRICKS_GOOGLE_SERVICE_ACCOUNT (environment variable): Google's service for service accounts answered 403 PERMISSION_DENIED: Permission denied for [redacted]";
    refused(run(client.access_token()), ErrorKind::PermissionDenied, said);
}

#[test]
fn credentials_that_cannot_be_used_are_named() {
    const HOST: (&str, &str) = ("GCE_METADATA_HOST", "metadata.example");
    const FILE: (&str, &str) = ("GOOGLE_APPLICATION_CREDENTIALS", "/key");
    let external = r#"{"type":"external_account"}"#;
    let user = r#"{"type":"authorized_user","client_id":"hush"}"#;
    for (pair, text, said) in [
        ((FILE.0, "/none"), "", "/none cannot be read"),
        (FILE, "hush", "/key cannot be used: the file of Google's credentials is not JSON"),
        (
            FILE,
            external,
            "credentials of Google of the type \"external_account\" are not supported",
        ),
        (FILE, user, "the file of Google's credentials has no `client_secret`"),
        (
            HOST,
            "",
            "the metadata service of this machine is http://, which would send secrets in the clear",
        ),
    ] {
        let (client, http) = with_files(&[pair, ACCOUNT], &[("/key", text)], |_| None).unwrap();
        let error = run(client.access_token()).unwrap_err();
        assert!(error.report().contains(said), "{}", error.report());
        assert!(!format!("{error:?}").contains("hush"));
        assert!(http.seen().is_empty());
    }
    let error = with_files(&[(ACCOUNT.0, "a/../b")], &[], |_| None).map(drop).unwrap_err();
    assert!(error.to_string().contains("is not a service account"), "{error}");
}

#[cfg(not(feature = "google-credentials"))]
#[test]
fn a_key_without_the_feature_is_refused_and_not_ignored() {
    let pairs = [("GOOGLE_CREDENTIALS", "/key")];
    let error = with_files(&pairs, &[], |_| None).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("feature `google-credentials`"), "{error}");
}

#[cfg(feature = "google-credentials")]
mod keys {
    use super::*;

    const KEY: &str = include_str!("../../../lakebase-emulator/src/google_key.pem");

    fn key() -> String {
        serde_json::json!({
            "type": "service_account", "client_email": "app@p.example", "private_key_id": "k1",
            "private_key": KEY, "token_uri": "https://oauth2.googleapis.com/token",
        })
        .to_string()
    }

    #[test]
    fn a_key_signs_for_an_id_token_of_the_workspace() {
        for in_file in [true, false] {
            let text = key();
            let pairs = [("GOOGLE_CREDENTIALS", if in_file { "/key.json" } else { &text })];
            let (client, http) = with_files(&pairs, &[("/key.json", &text)], google).unwrap();
            assert_eq!(client.auth_type(), "google-credentials");
            run(client.current_user()).unwrap();
            let seen = http.seen();
            assert_eq!(seen[0].line(), "POST https://oauth2.googleapis.com/token");
            assert_eq!(seen[1].line(), "POST https://oauth2.googleapis.com/token");
            assert_eq!(seen[2].header("authorization"), Some(&*format!("Bearer {ID_TOKEN}")));
            assert_eq!(seen[2].header("x-databricks-gcp-sa-access-token"), Some("access-2"));
            assert!(!format!("{client:?}").contains("PRIVATE"));
        }
    }

    #[test]
    fn a_key_that_is_none_is_not_quoted() {
        for value in [
            "/none",
            "{\"type\":\"hush\"}",
            "{hush",
            r#"{"type":"service_account","client_email":"a","private_key":"hush","token_uri":"https://t"}"#,
        ] {
            let pairs = [("GOOGLE_CREDENTIALS", value)];
            let (client, http) = with_files(&pairs, &[], |_| None).unwrap();
            let error = run(client.access_token()).unwrap_err();
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
            assert!(error.report().contains("GOOGLE_CREDENTIALS"), "{}", error.report());
            assert!(http.seen().is_empty());
        }
    }
}
