//! Identities on Azure.

use std::sync::Arc;

use lakebase_core::{ErrorKind, Runtime};
use lakebase_workspace::WorkspaceClient;

use crate::support::*;

const AZURE_HOST: &str = "https://adb-1.2.azuredatabricks.net";
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const SECRET: [(&str, &str); 2] = [("ARM_CLIENT_ID", "app-1"), ("ARM_CLIENT_SECRET", "hush-1/2")];
const RESOURCE: (&str, &str) =
    ("DATABRICKS_AZURE_RESOURCE_ID", "/subscriptions/sub-1/resourceGroups/g/providers/p/w");

/// A client of [`AZURE_HOST`]; programs answer through `az`.
fn with_az(
    pairs: &[(&str, &str)],
    http: &Arc<FakeHttp>,
    az: impl Fn(&str) -> Option<Printed> + Send + Sync + 'static,
) -> (WorkspaceClient, Calls) {
    let process = FakeProcess::new(az);
    let calls = Arc::clone(&process.calls);
    let runtime = Runtime { process: Arc::new(process), ..runtime(http) };
    (client_on(&runtime, &on_azure(pairs)), calls)
}

fn on_azure<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("DATABRICKS_HOST", AZURE_HOST)], pairs].concat()
}

/// The same where there are no programs, and what answers it.
fn on(
    pairs: &[(&str, &str)],
    handler: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static,
) -> (WorkspaceClient, Arc<FakeHttp>) {
    scripted(&on_azure(pairs), handler)
}

/// Entra, IMDS and a workspace that knows its tenant.
fn cloud(seen: &Seen) -> Option<Answer> {
    let uri = seen.request.uri();
    let body = seen.body();
    let what = match () {
        () if format!("{uri} {body}").contains("management.core") => "management",
        () => "databricks",
    };
    let entra = format!(
        r#"{{"token_type":"Bearer","expires_in":"3599","expires_on":"1767229199","access_token":"{what}-token"}}"#
    );
    match (uri.host().unwrap_or_default(), seen.path()) {
        (_, "/aad/auth") => reply_with(
            302,
            &[("location", "https://login.microsoftonline.com/tenant-1/oauth2/authorize?x=y")],
            "",
        ),
        (_, "/api/2.0/preview/scim/v2/Me") => reply(200, r#"{"userName":"me"}"#),
        _ => reply(200, entra),
    }
}

#[test]
fn a_secret_of_entra_gets_two_tokens_of_the_tenant_that_the_workspace_is_in() {
    let (client, http) = on(&[SECRET[0], SECRET[1], RESOURCE], cloud);
    assert_eq!(client.auth_type(), "azure-client-secret");
    assert_eq!(&*run(client.current_user()).unwrap(), "me");
    let expected = [
        "GET https://adb-1.2.azuredatabricks.net/aad/auth",
        "POST https://login.microsoftonline.com/tenant-1/oauth2/token",
        "POST https://login.microsoftonline.com/tenant-1/oauth2/token",
        "GET https://adb-1.2.azuredatabricks.net/api/2.0/preview/scim/v2/Me",
    ];
    assert_eq!(http.lines(), expected);
    let seen = http.seen();
    let said = format!(
        "grant_type=client_credentials&scope=all-apis&resource={DATABRICKS}&client_id=app-1&client_secret=hush-1%2F2"
    );
    assert_eq!(seen[1].body(), said);
    assert!(seen[2].body().contains("&resource=https%3A%2F%2Fmanagement.core.windows.net%2F&"));
    let call = &seen[3];
    assert_eq!(call.header("authorization"), Some("Bearer databricks-token"));
    assert_eq!(call.header("x-databricks-azure-sp-management-token"), Some("management-token"));
    assert_eq!(call.header("x-databricks-azure-workspace-resource-id"), Some(RESOURCE.1));
    assert!(seen[..3].iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn the_cloud_follows_from_the_host_or_is_named() {
    const STAGING: &str = "4a67d088-db5c-48f1-9ff2-0aace800ae68";
    for (host, environment, login, resource) in [
        (AZURE_HOST, "", "microsoftonline.com", DATABRICKS),
        ("adb-1.2.databricks.azure.us", "", "microsoftonline.us", DATABRICKS),
        ("adb-1.2.databricks.azure.cn", "", "chinacloudapi.cn", DATABRICKS),
        ("adb-1.2.staging.azuredatabricks.net", "", "microsoftonline.com", STAGING),
        ("w.example", "", "microsoftonline.com", DATABRICKS),
        ("w.example", "china", "chinacloudapi.cn", DATABRICKS),
        ("w.example:8443", "AzureUSGovernmentCloud", "microsoftonline.us", DATABRICKS),
    ] {
        let further =
            [("DATABRICKS_HOST", host), ("ARM_TENANT_ID", "t-1"), ("ARM_ENVIRONMENT", environment)];
        let (client, http) = scripted(&[&SECRET, &further[..]].concat(), cloud);
        run(client.access_token()).unwrap();
        assert_eq!(http.lines()[0], format!("POST https://login.{login}/t-1/oauth2/token"));
        assert!(http.seen()[0].body().contains(resource), "{host}");
    }
    let said = "ARM_ENVIRONMENT (environment variable): \"moon\" is not a cloud of Azure; accepted: PUBLIC, USGOVERNMENT, CHINA";
    refused(config(&[SECRET[0], SECRET[1], ("ARM_ENVIRONMENT", "moon")]), ErrorKind::Config, said);
}

#[test]
fn settings_of_azure_count_for_nothing_in_other_clouds_unless_asked_for() {
    for host in ["dbc-1.cloud.databricks.com", "1.2.gcp.databricks.com", "w.cloud.databricks.us"] {
        let pairs = [("DATABRICKS_HOST", host), SECRET[0], SECRET[1], ("ARM_TENANT_ID", "t")];
        assert_eq!(config(&pairs).unwrap().auth_type(), "databricks-cli");
        let asked_for = [&pairs[..], &[("DATABRICKS_AUTH_TYPE", "azure-client-secret")]].concat();
        assert_eq!(config(&asked_for).unwrap().auth_type(), "azure-client-secret");
    }
}

#[test]
fn a_tenant_that_is_not_told_has_to_be_set() {
    for (status, location) in [
        (200, ""),
        (404, ""),
        (302, "/login.html"),
        (302, "https://login.microsoftonline.com/"),
        (302, "https://login.microsoftonline.com/..%2f..%2fevil/oauth2/authorize"),
    ] {
        let (client, http) = on(&SECRET, move |seen| {
            assert_eq!(seen.path(), "/aad/auth", "no secret is sent to a tenant that is not known");
            reply_with(status, &[("location", location)], "")
        });
        let error = run(client.access_token()).unwrap_err();
        let said = "getting a token of Entra: https://adb-1.2.azuredatabricks.net does not tell its tenant; set azure_tenant_id (ARM_TENANT_ID)";
        assert_eq!(error.report(), said);
        assert_eq!(http.seen().len(), 1, "{status} {location}");
    }
    let (client, _) = on(&SECRET, |_| reply(503, ""));
    assert!(run(client.access_token()).unwrap_err().is_transient());
}

#[test]
fn the_redirect_to_the_tenant_is_read_and_never_followed() {
    let (client, http) = on(&SECRET, |seen| match seen.path() {
        "/aad/auth" => {
            reply_with(302, &[("location", "https://evil.example/tenant-2/oauth2/x")], "")
        }
        _ => cloud(seen),
    });
    run(client.access_token()).unwrap();
    assert_eq!(http.lines()[1], "POST https://login.microsoftonline.com/tenant-2/oauth2/token");
}

#[test]
fn a_secret_that_entra_refuses_is_named_and_not_quoted() {
    let refusal = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret hush-1/2 provided. Trace ID: 1\r\nCorrelation"}"#;
    let pairs = [SECRET[0], SECRET[1], ("ARM_TENANT_ID", "t-1")];
    let (client, _) = on(&pairs, move |_| reply(401, refusal));
    let said = "Entra refused client id \"app-1\" from ARM_CLIENT_ID (environment variable) with the secret from ARM_CLIENT_SECRET (environment variable): Entra answered 401 invalid_client: AADSTS7000215: Invalid client secret [redacted] provided. Trace ID: 1 Correlation";
    refused(run(client.access_token()), ErrorKind::Unauthenticated, said);
}

#[test]
fn a_managed_identity_is_asked_for_on_the_machines_link() {
    let (client, http) = on(&[("ARM_USE_MSI", "true"), SECRET[0]], cloud);
    assert_eq!(client.auth_type(), "azure-msi");
    run(client.current_user()).unwrap();
    const SERVICE: &str = "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=";
    let expected = [
        format!("{SERVICE}{DATABRICKS}&client_id=app-1"),
        format!("{SERVICE}https%3A%2F%2Fmanagement.core.windows.net%2F&client_id=app-1"),
    ];
    assert_eq!(http.lines()[..2], expected);
    let seen = http.seen();
    assert_eq!(seen[0].header("metadata"), Some("true"));
    assert_eq!(seen[2].header("authorization"), Some("Bearer databricks-token"));
    assert_eq!(seen[2].header("x-databricks-azure-sp-management-token"), Some("management-token"));
}

#[test]
fn whether_a_managed_identity_is_wanted_is_a_truth_value() {
    for (value, auth_type) in
        [("true", "azure-msi"), ("1", "azure-msi"), ("FALSE", "azure-cli"), ("0", "azure-cli")]
    {
        assert_eq!(config(&[("ARM_USE_MSI", value)]).unwrap().auth_type(), auth_type, "{value}");
    }
    let said = "ARM_USE_MSI (environment variable): is not a truth value; accepted: true, false";
    refused(config(&[("ARM_USE_MSI", "maybe")]), ErrorKind::Config, said);
}

#[test]
fn a_machine_without_an_identity_is_questioned() {
    let (client, _) = on(&[("ARM_USE_MSI", "true")], |_| {
        reply(400, r#"{"error":"invalid_request","error_description":"Identity not found"}"#)
    });
    let said = "getting a token of the managed identity; has this machine one?: the metadata service of this machine (IMDS) answered 400 invalid_request: Identity not found";
    assert_eq!(run(client.access_token()).unwrap_err().report(), said);
}

#[test]
fn an_id_token_of_github_takes_the_place_of_the_secret() {
    let github = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://actions.example/token?v=1"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hush-request"),
    ];
    let pairs = [SECRET[0], github[0], github[1]];
    let (client, http) = on(&pairs, |seen| match seen.request.uri().host() {
        Some("actions.example") => reply(200, r#"{"value":"id-github"}"#),
        _ => cloud(seen),
    });
    assert_eq!(client.auth_type(), "github-oidc-azure");
    run(client.current_user()).unwrap();
    let expected = [
        "GET https://actions.example/token?v=1&audience=api://AzureADTokenExchange",
        "GET https://adb-1.2.azuredatabricks.net/aad/auth",
        "POST https://login.microsoftonline.com/tenant-1/oauth2/token",
    ];
    assert_eq!(http.lines()[..3], expected);
    let seen = http.seen();
    let said = format!(
        "grant_type=client_credentials&scope=all-apis&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&resource={DATABRICKS}&client_assertion=id-github&client_id=app-1"
    );
    assert_eq!(seen[2].body(), said);
    assert_eq!(seen[3].header("authorization"), Some("Bearer databricks-token"));
    assert_eq!(seen[3].header("x-databricks-azure-sp-management-token"), None);
    // With a secret, the secret; without an id at Entra, another kind.
    let pairs = [SECRET[0], SECRET[1], github[0], github[1]];
    assert_eq!(on(&pairs, cloud).0.auth_type(), "azure-client-secret");
    let pairs = [("ARM_TENANT_ID", "t"), github[0], github[1]];
    assert_eq!(on(&pairs, cloud).0.auth_type(), "azure-cli");
}

/// `{"upn":"me"}` and `{}`.
const HUMAN: &str = "e30.eyJ1cG4iOiJtZSJ9.x";
const SERVICE: &str = "e30.e30.x";

fn printed(token: &str) -> String {
    format!(
        r#"{{"accessToken":"{token}","expiresOn":"2026-01-01 02:00:00.000000","expires_on":1767229200,"tokenType":"Bearer"}}"#
    )
}

#[test]
fn the_azure_cli_is_asked_for_a_person() {
    let http = FakeHttp::new(cloud);
    let (client, calls) = with_az(&[("ARM_TENANT_ID", "t-1")], &http, |line| {
        Some((true, if line.contains("show") { "{}".to_owned() } else { printed(HUMAN) }, ""))
    });
    assert_eq!(client.auth_type(), "azure-cli");
    let held = run(client.access_token()).unwrap();
    assert_eq!(held.token.expose(), HUMAN);
    assert_eq!(held.expires_at.unwrap().to_string(), "2026-01-01T01:00:00Z");
    let expected = [
        "az account show --output json".to_owned(),
        format!("az account get-access-token --resource {DATABRICKS} --output json --tenant t-1"),
    ];
    assert_eq!(*calls.lock().unwrap(), expected);
    run(client.current_user()).unwrap();
    assert_eq!(http.seen()[0].header("x-databricks-azure-sp-management-token"), None);
}

#[test]
fn the_azure_cli_is_asked_twice_for_a_service_principal() {
    let http = FakeHttp::new(cloud);
    let (client, calls) = with_az(&[("DATABRICKS_AUTH_TYPE", "azure-cli")], &http, |line| {
        let user = r#"{"user":{"name":"systemAssignedIdentity","type":"servicePrincipal"}}"#;
        Some((true, if line.contains("show") { user.to_owned() } else { printed(SERVICE) }, ""))
    });
    run(client.current_user()).unwrap();
    let expected = [
        format!("az account get-access-token --resource {DATABRICKS} --output json"),
        "az account get-access-token --resource https://management.core.windows.net/ --output json"
            .to_owned(),
    ];
    assert_eq!(calls.lock().unwrap()[1..], expected, "a managed identity has no tenant here");
    assert_eq!(http.lines()[0], "GET https://adb-1.2.azuredatabricks.net/aad/auth");
    let call = http.seen().last().unwrap().clone();
    assert_eq!(call.header("x-databricks-azure-sp-management-token"), Some(SERVICE));
}

#[test]
fn the_subscription_is_named_unless_it_is_closed_to_the_user() {
    for open in [true, false] {
        let http = FakeHttp::new(|_| reply(404, ""));
        let (client, calls) = with_az(&[RESOURCE], &http, move |line| {
            let closed = !open && line.contains("--subscription");
            Some((!closed, printed(HUMAN), if closed { "ERROR: no access" } else { "" }))
        });
        run(client.access_token()).unwrap();
        let base = format!("az account get-access-token --resource {DATABRICKS} --output json");
        let mut expected = vec![format!("{base} --subscription sub-1")];
        expected.extend((!open).then_some(base));
        assert_eq!(*calls.lock().unwrap(), expected);
    }
}

#[test]
fn an_expiry_in_local_time_is_not_believed() {
    let old = |token: &str| {
        format!(r#"{{"accessToken":"{token}","expiresOn":"2026-01-01 02:00:00.000000"}}"#)
    };
    // {"exp":1767229200,"upn":"me"}
    let with_exp = "e30.eyJleHAiOjE3NjcyMjkyMDAsInVwbiI6Im1lIn0.x";
    for (token, ends) in [(with_exp, Some("2026-01-01T01:00:00Z")), (HUMAN, None)] {
        let http = FakeHttp::new(|_| reply(404, ""));
        let pairs = [("DATABRICKS_AUTH_TYPE", "azure-cli")];
        let (client, _) = with_az(&pairs, &http, move |_| Some((true, old(token), "")));
        match (run(client.access_token()), ends) {
            (Ok(held), Some(ends)) => assert_eq!(held.expires_at.unwrap().to_string(), ends),
            (Err(error), None) => assert!(error.report().contains("older than 2.54"), "{error}"),
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_azure_cli_that_fails_says_what_to_do() {
    let failed = |said| Some((false, String::new(), said));
    for (az, kind, said) in [
        (
            failed("ERROR: Please run 'az login' to setup account. eyJhbGciOiJub25lIn0"),
            ErrorKind::Unauthenticated,
            "`az account get-access-token` failed: run `az login`; it said: ERROR: Please run 'az login' to setup account. [redacted]",
        ),
        (
            failed("ERROR: proxy"),
            ErrorKind::Unavailable,
            "`az account get-access-token` failed: it said: ERROR: proxy",
        ),
        (
            None,
            ErrorKind::Config,
            "the Azure CLI \"az\" could not be started; install it, or choose another identity: az is not on the path",
        ),
        (
            Some((true, "hush".to_owned(), "")),
            ErrorKind::Protocol,
            "the output of `az account get-access-token` is not JSON",
        ),
    ] {
        let http = FakeHttp::new(|_| reply(404, ""));
        let pairs = [("DATABRICKS_AUTH_TYPE", "azure-cli")];
        let (client, _) = with_az(&pairs, &http, move |_| az.clone());
        let error = run(client.access_token()).unwrap_err();
        assert!(error.report().starts_with(said), "{}", error.report());
        assert_eq!(error.kind(), kind);
        assert!(!format!("{error:?}").contains("hush"));
    }
}

#[test]
fn on_azure_the_log_in_of_either_cli_is_the_last_resort() {
    const CLI: &str = r#"{"access_token":"from-databricks","token_type":"Bearer","expiry":"2026-01-01T01:00:00Z"}"#;
    let http = FakeHttp::new(|_| reply(404, ""));
    let (client, _) = with_az(&[], &http, |_| Some((true, printed(HUMAN), "")));
    assert_eq!(client.auth_type(), "azure-cli");
    assert_eq!(run(client.access_token()).unwrap().token.expose(), HUMAN);

    let (client, calls) = with_az(&[], &http, |line| {
        line.starts_with("databricks").then(|| (true, CLI.to_owned(), ""))
    });
    assert_eq!(run(client.access_token()).unwrap().token.expose(), "from-databricks");
    assert_eq!(client.auth_type(), "databricks-cli");
    assert_eq!(calls.lock().unwrap().len(), 2);

    let (client, _) = on(&[], |_| reply(404, ""));
    let error = run(client.access_token()).unwrap_err().report();
    assert!(error.contains("the Azure CLI \"az\" could not be started"), "{error}");
    assert!(error.contains("the Databricks CLI \"databricks\" could not be started"), "{error}");
}
