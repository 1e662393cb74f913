//! Token services that vouch for a program: GitHub's, Azure DevOps', the metadata service; and what none of them may do.

use std::time::Duration;

use lakebase_core::{Error, ErrorKind};
use lakebase_testkit::assert_error;
use lakebase_workspace::Retry;

use crate::support::*;

const GITHUB: [(&str, &str); 3] = [
    ("DATABRICKS_CLIENT_ID", "app-1"),
    ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://actions.example/token?api-version=2.0"),
    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hush-request-token"),
];

const DEVOPS: [(&str, &str); 7] = [
    ("DATABRICKS_CLIENT_ID", "app-1"),
    ("SYSTEM_ACCESSTOKEN", "hush-request-token"),
    ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://dev.azure.example/org/"),
    ("SYSTEM_TEAMPROJECTID", "project"),
    ("SYSTEM_PLANID", "plan"),
    ("SYSTEM_JOBID", "job"),
    ("SYSTEM_HOSTTYPE", "build"),
];

const METADATA: (&str, &str) =
    ("DATABRICKS_METADATA_SERVICE_URL", "http://localhost:7/hush-session");

/// All of these services, and a workspace with a discovery document.
fn services(seen: &Seen) -> Option<Answer> {
    match seen.request.uri().host().unwrap_or_default() {
        "actions.example" => reply(200, r#"{"count":1,"value":"id-github"}"#),
        "dev.azure.example" => reply(200, r#"{"oidcToken":"id-devops"}"#),
        "localhost" => reply(
            200,
            r#"{"access_token":"from-metadata","token_type":"Bearer","expires_on":1767229200}"#,
        ),
        _ => match seen.path() {
            CONFIG_PATH => {
                reply(200, r#"{"oidc_endpoint":"https://w.example/oidc","workspace_id":"1"}"#)
            }
            METADATA_PATH => metadata("https://w.example/oidc/v1/token"),
            _ => token(seen),
        },
    }
}

#[test]
fn github_is_asked_for_a_token_for_the_workspace() {
    let (client, http) = scripted(&GITHUB, services);
    assert_eq!(client.auth_type(), "github-oidc");
    fetch(&client).unwrap();
    let expected = [
        "GET https://w.example/.well-known/databricks-config",
        "GET https://w.example/oidc/.well-known/oauth-authorization-server",
        "GET https://actions.example/token?api-version=2.0&audience=https://w.example/oidc/v1/token",
        "POST https://w.example/oidc/v1/token",
    ];
    assert_eq!(http.lines(), expected);
    let seen = http.seen();
    assert_eq!(seen[2].header("authorization"), Some("Bearer hush-request-token"));
    assert_eq!(seen[2].header("x-databricks-workspace-id"), None);
    assert!(seen[3].request.body().ends_with(b"&subject_token=id-github&client_id=app-1"));
    http.time.advance(Duration::from_secs(3601));
    fetch(&client).unwrap();
    assert_eq!(http.seen().len(), 6, "the audience is known by then, the id token is a new one");
}

#[test]
fn the_audience_is_the_one_that_was_set_or_that_the_workspace_names() {
    for (audience, document, asked) in [
        (Some("my aud&1"), "", "my%20aud%261"),
        (
            None,
            r#"{"workspace_id":"1","token_federation_default_oidc_audiences":["first","second"]}"#,
            "first",
        ),
        (None, r#"{"account_id":"acc-1"}"#, "acc-1"),
        (None, r#"{"account_id":"acc-1","workspace_id":"1"}"#, "https://w.example/found"),
    ] {
        let http = FakeHttp::new(move |seen| match seen.path() {
            CONFIG_PATH => reply(200, document),
            METADATA_PATH => metadata("https://w.example/found"),
            _ => services(seen),
        });
        let mut pairs = GITHUB.to_vec();
        pairs.extend(audience.map(|audience| ("DATABRICKS_TOKEN_AUDIENCE", audience)));
        fetch(&client(&pairs, &http)).unwrap();
        let expected =
            format!("GET https://actions.example/token?api-version=2.0&audience={asked}");
        assert!(http.lines().contains(&expected), "{:?}", http.lines());
        assert_eq!(http.count(".well-known/databricks-config"), usize::from(audience.is_none()));
    }
}

#[test]
fn github_needs_no_client_id_where_it_is_asked_for_by_name() {
    let pairs = [GITHUB[1], GITHUB[2]];
    assert_eq!(config(&pairs).unwrap().auth_type(), "databricks-cli");
    let pairs = [GITHUB[1], GITHUB[2], ("DATABRICKS_AUTH_TYPE", "github-oidc")];
    assert_eq!(config(&pairs).unwrap().auth_type(), "github-oidc");
}

#[test]
fn azure_devops_is_asked_at_the_address_of_the_job() {
    let (client, http) = scripted(&DEVOPS, services);
    assert_eq!(client.auth_type(), "azure-devops-oidc");
    fetch(&client).unwrap();
    let expected = [
        "POST https://dev.azure.example/org/project/_apis/distributedtask/hubs/build/plans/plan/jobs/job/oidctoken?api-version=7.2-preview.1",
        "POST https://w.example/oidc/v1/token",
    ];
    assert_eq!(http.lines(), expected);
    let seen = http.seen();
    assert_eq!(seen[0].header("authorization"), Some("Bearer hush-request-token"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert!(seen[0].request.body().is_empty());
    assert!(seen[1].request.body().ends_with(b"&subject_token=id-devops&client_id=app-1"));
}

#[test]
fn half_a_job_of_azure_devops_is_none() {
    let without = |name: &str| -> Vec<(&'static str, &'static str)> {
        DEVOPS.into_iter().filter(|(other, _)| *other != name).collect()
    };
    for name in ["SYSTEM_TEAMPROJECTID", "SYSTEM_ACCESSTOKEN"] {
        let mut pairs = without(name);
        let error = config(&pairs).unwrap_err();
        assert!(error.to_string().contains("a service principal also needs client_secret"));
        pairs.push(("DATABRICKS_AUTH_TYPE", "azure-devops-oidc"));
        let error = config(&pairs).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    let mut pairs = without("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI");
    pairs.push(("DATABRICKS_AUTH_TYPE", "azure-devops-oidc"));
    assert!(config(&pairs).unwrap_err().to_string().contains("TEAMFOUNDATIONCOLLECTIONURI"));
}

#[test]
fn the_metadata_service_is_told_for_whom() {
    let (client, http) = scripted(&[METADATA], services);
    assert_eq!(client.auth_type(), "metadata-service");
    assert_eq!(fetch(&client).unwrap(), "from-metadata");
    let seen = &http.seen()[0];
    assert_eq!(seen.line(), "GET http://localhost:7/hush-session");
    assert_eq!(seen.header("x-databricks-metadata-version"), Some("1"));
    assert_eq!(seen.header("x-databricks-host"), Some(HOST));
    let held = run(client.access_token()).unwrap();
    assert_eq!(held.expires_at.unwrap().to_string(), "2026-01-01T01:00:00Z");
    http.time.advance(Duration::from_secs(3601));
    fetch(&client).unwrap_err();
    assert_eq!(http.seen().len(), 2, "a token that is dead on arrival is not kept");
    assert!(!format!("{client:?}").contains("hush"));
}

#[test]
fn the_metadata_service_is_on_this_machine() {
    for (url, accepted) in [
        ("http://localhost:7/x", true),
        ("http://127.0.0.1/x", true),
        ("http://[::1]:7/x", true),
        ("https://localhost/x", true),
        ("http://169.254.169.254/x", false),
        ("http://metadata.example/hush", false),
        ("https://metadata.example/hush", false),
        ("http://localhost.evil.example/hush", false),
        ("http://localhost@evil.example/hush", false),
        ("ftp://localhost/hush", false),
        ("hush", false),
        ("not a url hush", false),
    ] {
        let built = config(&[("DATABRICKS_METADATA_SERVICE_URL", url)]);
        assert_eq!(built.is_ok(), accepted, "{url}");
        if let Err(error) = built {
            assert!(error.to_string().starts_with("DATABRICKS_METADATA_SERVICE_URL (environment"));
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
    }
}

#[test]
fn token_services_in_the_network_are_asked_by_https_only() {
    for (pairs, name, url) in [
        (&GITHUB[..], GITHUB[1].0, "http://actions.example/token?"),
        (&DEVOPS[..], DEVOPS[2].0, "http://dev.azure.example/org/"),
        (&GITHUB[..], GITHUB[1].0, "not a url"),
    ] {
        let pairs: Vec<_> =
            pairs.iter().map(|pair| if pair.0 == name { (name, url) } else { *pair }).collect();
        let error = config(&pairs).unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

/// What each of these answers with, and how that ends.
fn answered(
    pairs: &[(&str, &str)],
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> (Error, usize) {
    let (client, http) = scripted(pairs, move |seen| match seen.request.uri().host() {
        Some("w.example") => services(seen),
        _ => reply_with(status, headers, body),
    });
    let client = client.with_retry(Retry::NONE);
    (fetch(&client).unwrap_err(), http.seen().len())
}

#[test]
fn a_service_that_refuses_is_quoted_without_secrets() {
    let (error, _) =
        answered(&GITHUB, 401, &[], r#"{"message":"Bad credentials hush-request-token"}"#);
    let said = "getting an id token: GitHub's token service answered 401 Unauthorized: Bad credentials [redacted]";
    assert_eq!(error.report(), said);
    let (error, _) = answered(&DEVOPS, 403, &[], r#"{"message":"TF400813 hush-request-token"}"#);
    let said = "getting an id token: Azure DevOps' token service answered 403 Forbidden: TF400813 [redacted]";
    assert_eq!(error.report(), said);
    let (error, _) =
        answered(&[METADATA], 404, &[], r#"{"error_code":"NOT_FOUND","message":"no"}"#);
    let said = "getting a token of the metadata service from DATABRICKS_METADATA_SERVICE_URL (environment variable): the metadata service answered 404 NOT_FOUND: no";
    assert_eq!(error.report(), said);
}

#[test]
fn redirects_of_token_services_are_not_followed() {
    for pairs in [&GITHUB[..], &DEVOPS[..], &[METADATA][..]] {
        let (error, requests) =
            answered(pairs, 302, &[("location", "https://evil.example/hush")], "");
        assert_error(&error, ErrorKind::Protocol, &["302 with a redirect, which is not followed"]);
        assert!(!format!("{error:?}").contains("evil"), "{error:?}");
        assert!(requests <= 3, "nothing was sent after the redirect");
    }
}

#[test]
fn replies_that_make_no_sense_name_the_field() {
    let check = |pairs: &[(&str, &str)], body: &'static str, said: &str| {
        let (error, _) = answered(pairs, 200, &[], body);
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.report().ends_with(said), "{}", error.report());
        assert!(!format!("{error:?}").contains("hush"));
    };
    for (pairs, body, said) in [
        (&GITHUB[..], r#"{"count":0}"#, "github-oidc has no `value`"),
        (&DEVOPS[..], r#"{"oidcToken":""}"#, "azure-devops-oidc has no `oidcToken`"),
    ] {
        check(pairs, body, &format!("the reply of the token service of {said}"));
    }
    for (body, said) in [
        (r#"{"access_token":"hush"}"#, "has no `expires_on`"),
        (r#"{"access_token":"hush","expires_on":"soon"}"#, "has no `expires_on`"),
        (r#"{"expires_on":1}"#, "has no `access_token`"),
        (
            r#"{"access_token":"hush","token_type":"MAC","expires_on":1}"#,
            "has a `token_type` other than Bearer",
        ),
        ("<html>", "is HTML instead of JSON; is the address that of a Databricks workspace?"),
    ] {
        check(&[METADATA], body, &format!("the token of the metadata service {said}"));
    }
}

#[test]
fn a_service_that_does_not_answer_is_given_up_in_time() {
    for (pairs, seconds, name) in
        [(&GITHUB[..], 60, "GitHub's token service"), (&[METADATA][..], 10, "the metadata service")]
    {
        let http = FakeHttp::new(|seen| match seen.request.uri().host() {
            Some("w.example") => services(seen),
            _ => None,
        });
        let error = fetch(&client(pairs, &http)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.is_transient());
        let said = format!("{name} did not answer within {seconds} s");
        assert!(
            error.report().contains(&said) || error.report().contains("took longer"),
            "{}",
            error.report()
        );
    }
}

#[test]
fn nothing_is_asked_before_the_first_call_and_nobody_who_is_not_configured() {
    let pairs = [&GITHUB[..], PAT, &[("DATABRICKS_AUTH_TYPE", "pat")]].concat();
    let (client, http) = scripted(&pairs, services);
    assert!(http.seen().is_empty());
    fetch(&client).unwrap();
    assert!(http.seen().is_empty(), "auth_type excludes the others");
}
