//! The table has every parameter, says what happens, and is the public page.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::settings::{SETTINGS, Settings};

/// What `PQconndefaults` of libpq 18.6 lists: the parameters, each with its variable.
const LIBPQ_18: [(&str, &str); 50] = [
    ("service", "PGSERVICE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("client_encoding", "PGCLIENTENCODING"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("fallback_application_name", ""),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
    ("tcp_user_timeout", ""),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslcompression", "PGSSLCOMPRESSION"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("sslpassword", ""),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslsni", "PGSSLSNI"),
    ("requirepeer", "PGREQUIREPEER"),
    ("require_auth", "PGREQUIREAUTH"),
    ("min_protocol_version", "PGMINPROTOCOLVERSION"),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("gssencmode", "PGGSSENCMODE"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("gsslib", "PGGSSLIB"),
    ("gssdelegation", "PGGSSDELEGATION"),
    ("replication", ""),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("scram_client_key", ""),
    ("scram_server_key", ""),
    ("oauth_issuer", ""),
    ("oauth_client_id", ""),
    ("oauth_client_secret", ""),
    ("oauth_scope", ""),
    ("sslkeylogfile", ""),
];

fn variable(parameter: &Parameter) -> &'static str {
    match parameter.variable {
        Read(name) | Unread(name) => name,
        NoVariable => "",
    }
}

#[test]
fn every_parameter_of_libpq_has_its_row_and_variable() {
    let rows: BTreeMap<&str, &str> = PARAMETERS.iter().map(|it| (it.name, variable(it))).collect();
    assert_eq!(rows.len(), PARAMETERS.len(), "a parameter has two rows");
    let mut expected = BTreeMap::from(LIBPQ_18);
    expected.extend([("requiressl", ""), ("servicefile", "PGSERVICEFILE")]);
    assert_eq!(rows, expected);
    assert!(PARAMETERS.is_sorted_by_key(|parameter| parameter.name));
}

#[test]
fn the_public_page_is_the_table() {
    let mut page = String::from("| Parameter | Variable | |\n|---|---|---|\n");
    for Parameter { name, variable, treatment } in &PARAMETERS {
        let variable = match variable {
            NoVariable => String::new(),
            Read(name) => format!("`{name}`"),
            Unread(name) => format!("`{name}`, not read"),
        };
        let treatment = match treatment {
            Honoured { meaning, .. } => format!("**honoured**: {meaning}"),
            Refused { reason } => format!("**refused**: {reason}"),
            Harmless { values: [], reason } => format!("**accepted**, any value: {reason}"),
            Harmless { values, reason } => {
                let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                format!("**accepted**: {}; others refused: {reason}", values.join(", "))
            }
        };
        page.push_str(&format!("| `{name}` | {variable} | {treatment} |\n"));
    }
    let written = include_str!("../connection_string.md");
    assert!(written == page, "src/connection_string.md should be:\n{page}");
}

#[test]
fn what_is_honoured_is_a_setting_that_reads_the_same_variable() {
    let settings: BTreeMap<&str, &str> = SETTINGS.into_iter().collect();
    let mut honoured = BTreeSet::new();
    for parameter in &PARAMETERS {
        if let Honoured { setting, .. } = parameter.treatment {
            let variable = variable(parameter);
            assert_eq!(settings.get(setting).copied().unwrap_or_default(), variable, "{setting}");
            assert!(honoured.insert(setting), "{setting} is honoured twice");
        }
    }
    let of_libpq = SETTINGS.iter().filter(|(_, variable)| variable.starts_with("PG"));
    for (setting, variable) in of_libpq {
        assert!(honoured.contains(setting), "{variable} has no parameter");
    }
}

/// What the settings say of `name=value` in a URL, and of `variable=value` in the environment.
fn examine(parameter: &Parameter, value: &str) -> (Result<(), String>, Result<(), String>) {
    let explicit = BTreeMap::new();
    let say = |environment: Environment| match Settings::new(&explicit, &environment) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    let url = format!("postgresql://u@h/d?{}={value}", parameter.name);
    (
        say(Environment::from_pairs([("LAKEBASE_PG_URL", url)])),
        say(Environment::from_pairs([(variable(parameter), value)])),
    )
}

#[test]
fn every_row_does_what_it_says_in_urls_and_variables() {
    for parameter in &PARAMETERS {
        let name = parameter.name;
        let (good, bad): (&[&str], Option<&str>) = match parameter.treatment {
            // What their values may be is tested where they are read.
            Honoured { .. } => (&["1"], None),
            Harmless { values: [], .. } => (&["whatever"], None),
            Harmless { values, .. } => (values, Some("require")),
            Refused { .. } => (&[], Some("canary")),
        };
        for value in good {
            assert_eq!(examine(parameter, value), (Ok(()), Ok(())), "{name}={value}");
            assert_eq!(examine(parameter, &value.to_lowercase()).0, Ok(()), "{name}={value}");
        }
        let Some(value) = bad else { continue };
        let reason = match parameter.treatment {
            Harmless { reason, .. } | Refused { reason } => reason,
            Honoured { .. } => unreachable!("has no bad value here"),
        };
        let (url, environment) = examine(parameter, value);
        let url = url.expect_err(name);
        assert!(url.starts_with(&format!("{name} (in the URL of LAKEBASE_PG_URL): ")), "{url}");
        assert!(url.contains("not supported") && url.contains(reason), "{url}");
        assert!(!url.contains("canary"), "{url}");
        match parameter.variable {
            Read(variable) => {
                let error = environment.expect_err(name);
                assert!(
                    error.starts_with(&format!("{variable} (environment variable): ")),
                    "{error}"
                );
            }
            Unread(variable) => {
                assert_eq!(environment, Ok(()), "{variable}");
                let said = unread(&Environment::from_pairs([(variable, value)]));
                assert_eq!(said.len(), 1, "{variable}");
                assert!(said[0].to_string().contains(reason), "{}", said[0]);
            }
            NoVariable => {}
        }
        assert_eq!(examine(parameter, ""), (Ok(()), Ok(())), "an empty value says nothing");
    }
}

#[test]
fn what_the_url_says_comes_before_the_variable() {
    let explicit = BTreeMap::new();
    let environment = Environment::from_pairs([
        ("LAKEBASE_PG_URL", "postgresql://u@h/d?channel_binding=prefer"),
        ("PGCHANNELBINDING", "require"),
    ]);
    assert!(Settings::new(&explicit, &environment).is_ok());
}
