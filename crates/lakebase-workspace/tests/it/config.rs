//! Where settings come from, which one wins, and what is said about bad ones.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lakebase_core::{Environment, ErrorKind, Result, Runtime, Setting, SettingOrigin};
use lakebase_workspace::{SettingValue, WorkspaceClient, WorkspaceConfig, WorkspaceConfigBuilder};

use crate::support::*;

const FILE: &str = "\
[DEFAULT]
host = default.example
token = dapi-default-secret

[dev]
host = https://dev.example/?o=42
client_id = app-dev
client_secret = dose-dev-secret

[cli]
host = cli.example
databricks_cli_path = /opt/dbx

[partial]
client_id = app-partial
";

/// These variables, and `file` as `/home/me/.databrickscfg`.
fn with_file(pairs: &[(&str, &str)], file: &str) -> Environment {
    let there = [("HOME", "/home/me"), ("/home/me/.databrickscfg", file), ("/etc/dbx", file)];
    let entries = surroundings(&[&there, pairs].concat());
    let private = ("/etc/private".to_owned(), Err(io::ErrorKind::PermissionDenied));
    entries.lock().unwrap().extend([private]);
    environment(&entries)
}

fn build(pairs: &[(&str, &str)]) -> Result<WorkspaceConfig> {
    WorkspaceConfig::from_environment(&with_file(pairs, FILE))
}

fn shown(config: &WorkspaceConfig) -> Vec<String> {
    let show = |setting: &lakebase_workspace::EffectiveSetting| {
        let value = match &setting.value {
            SettingValue::Plain(text) => text.as_str(),
            SettingValue::Secret(_) => "***",
        };
        format!("{} = {value} from {}", setting.key, setting.origin)
    };
    config.settings().iter().map(show).collect()
}

#[test]
fn the_default_profile_is_used_when_nothing_is_set() {
    let config = build(&[]).unwrap();
    assert_eq!(config.host().value.as_str(), "https://default.example");
    assert_eq!(config.auth_type(), "pat");
    let expected = [
        "profile = DEFAULT from profile (profile DEFAULT in /home/me/.databrickscfg)",
        "host = default.example from host (profile DEFAULT in /home/me/.databrickscfg)",
        "token = *** from token (profile DEFAULT in /home/me/.databrickscfg)",
    ];
    assert_eq!(shown(&config), expected);
}

#[test]
fn a_named_profile_inherits_nothing_and_yields_to_variables() {
    let config =
        build(&[("DATABRICKS_CONFIG_PROFILE", "dev"), ("DATABRICKS_CLIENT_ID", "app-env")]);
    let config = config.unwrap();
    assert_eq!(config.auth_type(), "oauth-m2m");
    assert_eq!(config.workspace_id().unwrap().value, "42");
    let expected = [
        "profile = dev from DATABRICKS_CONFIG_PROFILE (environment variable)",
        "host = https://dev.example/?o=42 from host (profile dev in /home/me/.databrickscfg)",
        "client_id = app-env from DATABRICKS_CLIENT_ID (environment variable)",
        "client_secret = *** from client_secret (profile dev in /home/me/.databrickscfg)",
    ];
    assert_eq!(shown(&config), expected);
    assert!(!format!("{config:?}").contains("dose-dev"));
}

#[test]
fn the_program_comes_before_variables_and_profile() {
    let environment =
        with_file(&[("DATABRICKS_HOST", "env.example"), ("DATABRICKS_WORKSPACE_ID", "1")], FILE);
    let config = WorkspaceConfig::builder()
        .host("mine.example?o=2")
        .token("dapi-mine-secret")
        .account_id("acc-1")
        .build(&environment)
        .unwrap();
    assert_eq!(config.host().value.as_str(), "https://mine.example");
    assert_eq!(config.workspace_id().unwrap().value, "1");
    assert_eq!(config.account_id().unwrap().value, "acc-1");
    assert_eq!(shown(&config)[0], "host = mine.example?o=2 from host (set by the program)");
    let flag = Setting::new("dev".to_owned(), SettingOrigin::Explicit("--profile".into()));
    let config = WorkspaceConfig::builder().setting("profile", flag.clone()).unwrap();
    let config = config.build(&with_file(&[], FILE)).unwrap();
    assert_eq!(shown(&config)[0], "profile = dev from --profile (command line)");
    let said = "--profile (command line): there is no workspace setting \"profil\"";
    refused(WorkspaceConfig::builder().setting("profil", flag), ErrorKind::Config, said);
}

#[test]
fn the_file_is_not_read_when_host_or_identity_is_set() {
    for pairs in [
        [("DATABRICKS_HOST", "env.example"), ("X", "")],
        [("DATABRICKS_TOKEN", "t"), ("DATABRICKS_HOST", "env.example")],
        [("DATABRICKS_CLIENT_ID", "a"), ("DATABRICKS_CLIENT_SECRET", "b")],
    ] {
        let reads = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&reads);
        let environment = with_file(&pairs, FILE);
        let environment = Environment::new(
            move |name| environment.var(name).map(|setting| setting.value),
            move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                Err(io::ErrorKind::NotFound.into())
            },
        );
        let _ = WorkspaceConfig::from_environment(&environment);
        assert_eq!(reads.load(Ordering::SeqCst), 0, "{pairs:?}");
    }
}

#[test]
fn the_files_own_default_profile_counts() {
    let file = "[__settings__]\ndefault_profile = a\n[DEFAULT]\nhost = d.example\n[a]\nhost = a.example\ntoken = t\n";
    let config = WorkspaceConfig::from_environment(&with_file(&[], file)).unwrap();
    assert_eq!(config.host().value.as_str(), "https://a.example");
    let missing = "[__settings__]\ndefault_profile = b\n";
    let said = "default_profile (profile __settings__ in /home/me/.databrickscfg): /home/me/.databrickscfg has no profile \"b\"; there: none";
    refused(WorkspaceConfig::from_environment(&with_file(&[], missing)), ErrorKind::Config, said);
}

#[test]
fn paths_may_start_at_home_or_be_absolute() {
    for path in ["~/.databrickscfg", "/etc/dbx"] {
        assert!(build(&[("DATABRICKS_CONFIG_FILE", path)]).is_ok(), "{path}");
    }
    let windows = [("USERPROFILE", "/home/me"), ("/home/me/.databrickscfg", FILE)];
    let windows = environment(&surroundings(&windows));
    assert!(WorkspaceConfig::from_environment(&windows).is_ok());
}

#[test]
fn bad_input_names_setting_origin_and_what_is_accepted() {
    const H: (&str, &str) = ("DATABRICKS_HOST", "w.example");
    const P: &str = "DATABRICKS_CONFIG_PROFILE";
    const F: &str = "DATABRICKS_CONFIG_FILE";
    const A: &str = "DATABRICKS_AUTH_TYPE";
    const T: &str = "DATABRICKS_TOKEN";
    let check = |kind, rows: &[(Vec<(&str, &str)>, &str)]| {
        for (pairs, message) in rows {
            let error = build(pairs).unwrap_err();
            assert_eq!(error.to_string(), *message, "{pairs:?}");
            assert_eq!(error.kind(), kind, "{pairs:?}");
            assert!(!format!("{error:?}").contains("hush"));
        }
    };
    let not_supported = [
        (
            vec![H, (A, "external-browser")],
            "DATABRICKS_AUTH_TYPE (environment variable): \"external-browser\" is not supported; supported: pat, metadata-service, oauth-m2m, env-oidc, file-oidc, github-oidc, azure-msi, azure-client-secret, github-oidc-azure, azure-cli, azure-devops-oidc, databricks-cli, google-credentials, google-id",
        ),
        (
            vec![H, ("DATABRICKS_USERNAME", "me"), ("DATABRICKS_PASSWORD", "hush")],
            "DATABRICKS_USERNAME (environment variable) configures an identity by user name and password, which is not supported; supported: pat, metadata-service, oauth-m2m, env-oidc, file-oidc, github-oidc, azure-msi, azure-client-secret, github-oidc-azure, azure-cli, azure-devops-oidc, databricks-cli, google-credentials, google-id; to use one of these, set auth_type (DATABRICKS_AUTH_TYPE)",
        ),
    ];
    check(ErrorKind::Unsupported, &not_supported);
    let wrong = [
        (
            vec![(T, "t")],
            "no workspace is configured; set host, DATABRICKS_HOST, or a profile in ~/.databrickscfg",
        ),
        (
            vec![(P, "partial")],
            "no workspace is configured (profile \"partial\" has no host); set host, DATABRICKS_HOST, or a profile in ~/.databrickscfg",
        ),
        (
            vec![("DATABRICKS_HOST", "http://w.example")],
            "DATABRICKS_HOST (environment variable): is http://, which would send secrets in the clear; only loopback addresses may use it; accepted: the workspace's address, such as https://dbc-1234.cloud.databricks.com",
        ),
        (
            vec![("DATABRICKS_HOST", "https://accounts.azuredatabricks.net")],
            "DATABRICKS_HOST (environment variable): is the account console, not a workspace; accepted: the workspace's address, such as https://dbc-1234.cloud.databricks.com",
        ),
        (
            vec![(P, "prod")],
            "DATABRICKS_CONFIG_PROFILE (environment variable): /home/me/.databrickscfg has no profile \"prod\"; there: DEFAULT, cli, dev, partial",
        ),
        (
            vec![(P, "__settings__")],
            "DATABRICKS_CONFIG_PROFILE (environment variable): /home/me/.databrickscfg has no profile \"__settings__\"; there: DEFAULT, cli, dev, partial",
        ),
        (
            vec![H, (T, "t"), ("DATABRICKS_CLIENT_ID", "a")],
            "more than one authorization method configured: oauth and pat; set by DATABRICKS_TOKEN (environment variable), DATABRICKS_CLIENT_ID (environment variable); remove one, or set auth_type (DATABRICKS_AUTH_TYPE)",
        ),
        (
            vec![(P, "dev"), (T, "t")],
            "more than one authorization method configured: oauth and pat; set by DATABRICKS_TOKEN (environment variable), client_id (profile dev in /home/me/.databrickscfg), client_secret (profile dev in /home/me/.databrickscfg); remove one, or set auth_type (DATABRICKS_AUTH_TYPE)",
        ),
        (
            vec![H, (T, "t"), ("ARM_CLIENT_ID", "a")],
            "more than one authorization method configured: azure and pat; set by DATABRICKS_TOKEN (environment variable), ARM_CLIENT_ID (environment variable); remove one, or set auth_type (DATABRICKS_AUTH_TYPE)",
        ),
        (
            vec![H, ("DATABRICKS_CLIENT_ID", "a")],
            "DATABRICKS_CLIENT_ID (environment variable): a service principal also needs client_secret (DATABRICKS_CLIENT_SECRET), which is not set",
        ),
        (
            vec![H, ("DATABRICKS_CLIENT_SECRET", "hush")],
            "DATABRICKS_CLIENT_SECRET (environment variable): a service principal also needs client_id (DATABRICKS_CLIENT_ID), which is not set",
        ),
        (
            vec![H, (A, "magic")],
            "DATABRICKS_AUTH_TYPE (environment variable): \"magic\" is not known; accepted: pat, metadata-service, oauth-m2m, env-oidc, file-oidc, github-oidc, azure-msi, azure-client-secret, github-oidc-azure, azure-cli, azure-devops-oidc, databricks-cli, google-credentials, google-id",
        ),
    ];
    check(ErrorKind::Config, &wrong);
    // Of the last of the settings.
    for (pairs, problem) in [
        (
            vec![H, ("DATABRICKS_WORKSPACE_ID", "1\n2")],
            "is not an id; accepted: letters, digits and -",
        ),
        (vec![(F, "/none")], "/none cannot be read: entity not found"),
        (vec![(P, "dev"), (F, "/etc/private")], "/etc/private cannot be read: permission denied"),
        (
            vec![("HOME", "/nobody"), (P, "dev")],
            "/nobody/.databrickscfg cannot be read: entity not found",
        ),
        (
            vec![H, (T, "hush\n")],
            "has a blank, a line break or another character that no token has",
        ),
        (vec![H, (A, "pat")], "pat needs token (DATABRICKS_TOKEN), which is not set"),
        (
            vec![H, (A, "oauth-m2m")],
            "oauth-m2m needs client_id (DATABRICKS_CLIENT_ID), which is not set",
        ),
        (vec![H, ("DATABRICKS_OIDC_TOKEN_ENV", "X")], "the variable X is not set or empty"),
    ] {
        let message = format!("{} (environment variable): {problem}", pairs.last().unwrap().0);
        check(ErrorKind::Config, &[(pairs, &message)]);
    }
}

#[test]
fn a_malformed_file_is_named_with_the_line() {
    let file = "[dev]\nhost = w.example\ndapi-oops-secret\n";
    for (pairs, prefix) in [
        (vec![], "/home/me/.databrickscfg: line 3 has no `=`"),
        (
            vec![("DATABRICKS_CONFIG_PROFILE", "dev")],
            "DATABRICKS_CONFIG_PROFILE (environment variable): /home/me/.databrickscfg: line 3 has no `=`",
        ),
    ] {
        let error = WorkspaceConfig::from_environment(&with_file(&pairs, file)).unwrap_err();
        assert!(error.to_string().starts_with(prefix), "{error}");
        assert!(!format!("{error:?}").contains("oops"));
    }
}

#[test]
fn auth_type_decides_between_identities() {
    let both = [
        ("DATABRICKS_HOST", "w.example"),
        ("DATABRICKS_TOKEN", "t"),
        ("DATABRICKS_CLIENT_ID", "a"),
        ("DATABRICKS_CLIENT_SECRET", "b"),
    ];
    for wanted in ["pat", "oauth-m2m", "databricks-cli"] {
        let pairs: Vec<_> = both.into_iter().chain([("DATABRICKS_AUTH_TYPE", wanted)]).collect();
        assert_eq!(build(&pairs).unwrap().auth_type(), wanted);
    }
}

/// The command line that an identity by `databricks-cli` would run.
fn command(builder: WorkspaceConfigBuilder, pairs: &[(&str, &str)]) -> String {
    let config = builder.build(&with_file(pairs, FILE)).unwrap();
    let process = FakeProcess::new(|_| None);
    let calls = Arc::clone(&process.calls);
    let runtime = Runtime { process: Arc::new(process), ..runtime(&FakeHttp::new(|_| None)) };
    run(WorkspaceClient::new(config, &runtime).access_token()).unwrap_err();
    calls.lock().unwrap().last().unwrap().clone()
}

#[test]
fn the_command_is_asked_by_profile_where_it_sees_the_same_one() {
    let new = WorkspaceConfig::builder;
    assert_eq!(command(new().profile("cli"), &[]), "/opt/dbx auth token --profile cli");
    let host = [("DATABRICKS_HOST", "other.example")];
    let said = "/opt/dbx auth token --host https://other.example";
    assert_eq!(command(new().profile("cli"), &host), said);
    let said = "/opt/dbx auth token --host https://cli.example";
    assert_eq!(command(new().profile("cli").config_file("/etc/dbx"), &[]), said);
    assert_eq!(command(new(), &host), "databricks auth token --host https://other.example");
}

#[test]
fn builders_print_no_value() {
    let builder =
        WorkspaceConfig::builder().host("w.example").token("dapi-secret").client_secret("s-secret");
    assert!(!format!("{builder:?}").contains("s-secret"));
    assert!(!format!("{builder:?}").contains("dapi"));
    let config = WorkspaceConfig::builder().host("w.example").token("dapi-secret");
    let config = config.build(&Environment::empty()).unwrap();
    assert!(!format!("{config:?} {:?}", config.settings()).contains("dapi-secret"));
}
