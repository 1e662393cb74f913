//! `lakebase doctor`: the verdict of every step, and the name of what is wrong.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use lakebase_emulator::{Effect, Emulator, Fault, Operation, TokenFor, WrongCertificate};
use lakebase_testkit::RefusingAddress;
use lakebase_testkit::passwords::{self, PLACES};
use serde_json::Value;

use crate::support::{Run, bare, configured, emulator, json};

const STEPS: [&str; 12] = [
    "configuration",
    "workspace",
    "clock",
    "identity",
    "endpoint",
    "credential",
    "host",
    "tcp",
    "tls",
    "login",
    "role",
    "query",
];

/// What `lakebase doctor --json` says, which must hold together and show no secret.
#[track_caller]
pub(crate) fn examine(emulator: &Emulator, command: &mut Command) -> Value {
    let run = Run::of(command.args(["doctor", "--json"]));
    let service = emulator.description();
    for secret in [&service.client_secret, &service.token, &service.password, "eyJ"] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run:?}");
    }
    assert_eq!(run.stderr, "");
    let found = json(&run.stdout);
    let names: Vec<&str> =
        found["steps"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS, "{found}");
    for step in found["steps"].as_array().unwrap() {
        let failed = step["verdict"] == "failed";
        assert!(step["seconds"].is_f64() && step["detail"].is_string(), "{step}");
        assert_eq!(step["fault"].is_string(), failed, "{step}");
        assert_eq!(step["advice"].is_string(), failed, "{step}");
    }
    assert_eq!(found["ok"], found["fault"].is_null(), "{found}");
    assert_eq!(run.code, Some(if found["ok"] == true { 0 } else { 1 }));
    found
}

/// What it says with these further variables.
#[track_caller]
pub(crate) fn examine_with(emulator: &Emulator, variables: &[(&str, &str)]) -> Value {
    examine(emulator, configured(emulator).envs(variables.iter().copied()))
}

/// The detail of a step.
pub(crate) fn detail<'a>(found: &'a Value, name: &str) -> &'a str {
    step(found, name)["detail"].as_str().unwrap()
}

pub(crate) fn step<'a>(found: &'a Value, name: &str) -> &'a Value {
    found["steps"].as_array().unwrap().iter().find(|step| step["name"] == name).unwrap()
}

/// The steps with this verdict.
pub(crate) fn steps<'a>(found: &'a Value, verdict: &str) -> Vec<&'a str> {
    let steps = found["steps"].as_array().unwrap().iter();
    steps.filter(|step| step["verdict"] == verdict).map(|s| s["name"].as_str().unwrap()).collect()
}

/// The only step that failed must be `name`, with this fault and these words; no canary is shown.
#[track_caller]
pub(crate) fn assert_fault(found: &Value, name: &str, fault: &str, words: &[&str]) {
    assert_eq!(found["fault"], fault, "{found}");
    assert_eq!(steps(found, "failed"), [name], "{found}");
    let detail = detail(found, name);
    for word in words {
        assert!(detail.contains(word), "{word}: {detail}");
    }
    assert!(!found.to_string().contains("canary"), "{found}");
}

#[test]
fn all_is_well_and_every_setting_has_its_origin() {
    let emulator = emulator();
    let service = emulator.description();
    let found = examine(&emulator, configured(&emulator).args(["--database", "postgres"]));
    assert_eq!(steps(&found, "ok"), STEPS, "{found}");
    let origin = |name: &str| {
        let all = found["settings"].as_array().unwrap().iter();
        all.filter(|s| s["name"] == name).map(|s| (&s["value"], &s["origin"])).next().unwrap()
    };
    for (name, value, from) in [
        ("database", Some("postgres"), "--database (command line)"),
        ("project", Some("demo"), "LAKEBASE_PROJECT (environment variable)"),
        ("client_id", Some(&*service.client_id), "DATABRICKS_CLIENT_ID (environment variable)"),
        ("client_secret", None, "DATABRICKS_CLIENT_SECRET (environment variable)"),
    ] {
        assert_eq!(origin(name), (&value.into(), &from.into()), "{found}");
    }
    for (name, words) in [
        ("workspace", vec![&*service.host]),
        ("identity", vec![&*service.client_id, "oauth-m2m"]),
        ("endpoint", vec![&service.endpoint, "read-write, active", &service.pg_host]),
        ("host", vec!["system's resolver: failed", "direct DNS: 127.0.0.1"]),
        ("tcp", vec!["127.0.0.1:"]),
        ("tls", vec!["TLSv1.3, verified", "CN=Lakebase emulator authority", "valid until"]),
        ("role", vec![&service.client_id, "in postgres, read-write", "PostgreSQL 1"]),
    ] {
        let detail = detail(&found, name);
        assert!(words.iter().all(|word| detail.contains(word)), "{words:?}: {detail}");
    }
}

#[test]
fn people_get_a_line_per_step() {
    let emulator = emulator();
    let shown = Run::with(&emulator, &["doctor"]).success();
    let steps = shown.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(steps, STEPS.len(), "{shown}");
    assert!(shown.contains("client_secret  set  from DATABRICKS_CLIENT_SECRET"), "{shown}");
    assert!(shown.ends_with("all is well\n") && !shown.contains('\u{1b}'), "{shown}");

    let run = Run::with(&emulator, &["doctor", "--project", "nowhere"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stdout.contains("\nFAILED ") && run.stdout.contains("→ check project"), "{run:?}");
    assert!(run.stdout.ends_with("fault: endpoint_not_found\n"), "{run:?}");
    assert!(run.stderr.is_empty(), "{run:?}");
}

/// The command as a pod with a projected token has it; the file holds `token`.
fn by_file(emulator: &Emulator, path: &std::path::Path, token: &str) -> Command {
    std::fs::write(path, token).unwrap();
    let mut command = configured(emulator);
    command
        .env_remove("DATABRICKS_CLIENT_SECRET")
        .env("DATABRICKS_AUTH_TYPE", "file-oidc")
        .env("DATABRICKS_OIDC_TOKEN_FILEPATH", path);
    command
}

#[test]
fn a_token_file_is_shown_with_its_age() {
    let emulator = emulator();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let token = emulator.issue_token(TokenFor::Exchange, "any", Duration::from_secs(600));
    let mut command = by_file(&emulator, &path, &token);
    let written = std::fs::File::options().write(true).open(&path).unwrap();
    let before = written.metadata().unwrap().modified().unwrap() - Duration::from_secs(200);
    written.set_modified(before).unwrap();
    let found = examine(&emulator, &mut command);
    assert_eq!(found["ok"], true, "{found}");
    let detail = detail(&found, "identity");
    let said = format!(
        "{} (file-oidc from DATABRICKS_AUTH_TYPE; token file {}, 3 min old; exchanged)",
        emulator.description().client_id,
        path.display()
    );
    assert_eq!(detail, said);
}

#[test]
fn names_an_id_token_that_expired_and_a_file_that_is_a_folder() {
    let emulator = emulator();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let token = emulator.issue_token(TokenFor::Exchange, "any", Duration::ZERO);
    let found = examine(&emulator, &mut by_file(&emulator, &path, &token));
    assert_fault(&found, "identity", "id_token_refused", &["it expired", "400 invalid_grant"]);
    let mut command = by_file(&emulator, &path, &token);
    let found = examine(&emulator, command.env("DATABRICKS_OIDC_TOKEN_FILEPATH", folder.path()));
    assert_fault(&found, "identity", "configuration", &["is a folder; name the file in it"]);
}

#[test]
fn names_a_token_service_that_is_not_there() {
    let emulator = Emulator::builder().start().unwrap();
    let closed = RefusingAddress::open().unwrap();
    let mut command = configured(&emulator);
    command
        .env_remove("DATABRICKS_CLIENT_ID")
        .env_remove("DATABRICKS_CLIENT_SECRET")
        .env("DATABRICKS_METADATA_SERVICE_URL", format!("http://{}/eyJ-session", closed.address()));
    let found = examine(&emulator, &mut command);
    assert_fault(&found, "identity", "token_service_unreachable", &["the metadata service"]);
}

#[test]
fn names_a_wrong_secret() {
    let emulator = emulator();
    let found = examine_with(&emulator, &[("DATABRICKS_CLIENT_SECRET", "dose-canary")]);
    assert_fault(&found, "identity", "secret_refused", &["DATABRICKS_CLIENT_SECRET", "401"]);

    let mut command = configured(&emulator);
    command.env_remove("DATABRICKS_CLIENT_ID").env_remove("DATABRICKS_CLIENT_SECRET");
    let found = examine(&emulator, command.env("DATABRICKS_TOKEN", "dapi-canary"));
    assert_fault(&found, "identity", "secret_refused", &["Invalid access token"]);
}

#[test]
fn names_a_clock_that_is_off_and_goes_on() {
    for (seconds, words) in [(600, "behind the workspace's"), (-600, "ahead of the workspace's")] {
        let emulator = Emulator::builder().start().unwrap();
        emulator.inject(Fault::new(Operation::Any, Effect::Skew { seconds }));
        let found = examine_with(&emulator, &[]);
        assert_fault(&found, "clock", "clock_skew", &[words]);
        assert_eq!(steps(&found, "ok").len(), STEPS.len() - 1, "a clock stops nothing: {found}");
    }
    let emulator = Emulator::builder().start().unwrap();
    emulator.inject(Fault::new(Operation::Any, Effect::Skew { seconds: 60 }));
    let found = examine_with(&emulator, &[]);
    assert_eq!(found["ok"], true, "a minute is tolerated: {found}");
}

#[test]
fn names_dead_dns() {
    let emulator = Emulator::builder().start().unwrap();
    emulator.inject(Fault::new(Operation::Dns, Effect::ServFail));
    let found = examine_with(&emulator, &[]);
    assert_fault(&found, "host", "dns_failed", &[&emulator.description().pg_host, "direct DNS"]);
    assert_eq!(steps(&found, "skipped"), ["tcp", "tls", "login", "role", "query"]);

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let found = examine_with(&emulator, &[("LAKEBASE_DNS", &nobody.to_string())]);
    assert_fault(&found, "host", "dns_failed", &[&nobody.to_string()]);
}

#[test]
fn names_a_wrong_authority_from_either_side() {
    let emulator = Emulator::builder().start().unwrap();
    let found = examine(&emulator, configured(&emulator).env_remove("PGSSLROOTCERT"));
    let words = ["authority is not trusted", "CN=Lakebase emulator authority"];
    assert_fault(&found, "tls", "certificate_authority_unknown", &words);
    assert_eq!(steps(&found, "skipped"), ["login", "role", "query"]);

    use WrongCertificate::{Authority, Expired, Name};
    for (wrong, fault, words) in [
        (Authority, "certificate_authority_unknown", ["not trusted", "CN=Somebody else"]),
        (Name, "certificate_name_mismatch", ["not valid for name", "elsewhere.lakebase.test"]),
        (Expired, "certificate_expired", ["expired", "2002"]),
    ] {
        emulator.clear();
        emulator.inject(Fault::new(Operation::Login, Effect::Certificate { wrong }));
        let found = examine_with(&emulator, &[]);
        assert_fault(&found, "tls", fault, &words);
    }
}

#[test]
fn names_a_wrong_authority_of_the_workspace() {
    let emulator = Emulator::builder().https(true).start().unwrap();
    let found = examine_with(&emulator, &[]);
    assert_fault(&found, "workspace", "certificate_authority_unknown", &["UnknownIssuer"]);
    let trusting = [("SSL_CERT_FILE", &*emulator.description().ca_cert)];
    assert_eq!(examine_with(&emulator, &trusting)["ok"], true);
}

#[test]
fn names_a_missing_role() {
    let emulator = Emulator::builder().start().unwrap();
    emulator.drop_role(&emulator.description().client_id);
    let found = examine_with(&emulator, &[]);
    assert_fault(&found, "login", "role_missing", &["does not exist", "28000"]);
    let advice = step(&found, "login")["advice"].as_str().unwrap();
    assert!(advice.contains("databricks_create_role"), "{advice}");
}

#[test]
fn names_a_disabled_endpoint() {
    let emulator = emulator();
    let branch = examine(&emulator, configured(&emulator).args(["--branch", "frozen"]));
    assert_fault(&branch, "endpoint", "endpoint_disabled", &["disabled"]);
    let name = "projects/demo/branches/frozen/endpoints/disabled";
    let named = examine(&emulator, configured(&emulator).args(["--endpoint", name]));
    assert_fault(&named, "endpoint", "endpoint_disabled", &[name]);
    assert!(steps(&named, "skipped").contains(&"login"));
}

#[test]
fn names_what_else_can_be_wrong_with_a_login() {
    let emulator = emulator();
    let service = emulator.description();
    let found = examine(&emulator, configured(&emulator).args(["--database", "nowhere"]));
    assert_fault(&found, "login", "database_missing", &["nowhere"]);
    let found = examine(&emulator, configured(&emulator).args(["--user", &service.user]));
    assert_fault(&found, "login", "login_refused", &["databricks identity login"]);
    let wrong = [("PGUSER", &*service.password_user), ("PGPASSWORD", "canary")];
    let found = examine_with(&emulator, &wrong);
    assert_fault(&found, "login", "login_refused", &["password authentication failed"]);
    let nobody = RefusingAddress::open().unwrap();
    let found = examine_with(&emulator, &[("PGPORT", &nobody.address().port().to_string())]);
    assert_fault(&found, "tcp", "port_unreachable", &["127.0.0.1"]);

    let own = Emulator::builder().start().unwrap();
    own.inject(Fault::new(Operation::Login, Effect::BlockAddress));
    let found = examine(&own, &mut configured(&own));
    assert_fault(&found, "login", "address_blocked", &["IP ACL"]);
}

#[test]
fn a_workspace_that_is_gone_or_refuses_is_named() {
    let emulator = Emulator::builder().start().unwrap();
    emulator.inject(Fault::new(Operation::Any, Effect::Drop));
    let found = examine_with(&emulator, &[]);
    let address = emulator.description().host.trim_start_matches("http://").to_owned();
    assert_fault(&found, "workspace", "workspace_unreachable", &[&address]);

    emulator.clear();
    let reply = Effect::reply(403);
    emulator.inject(Fault::new(Operation::Credentials, reply));
    let found = examine_with(&emulator, &[]);
    assert_fault(&found, "credential", "credential_refused", &["403"]);
    assert_eq!(step(&found, "tls")["verdict"], "ok", "the way is examined all the same");
}

/// The environments that Databricks hands to its users: of an app, a host alone, its connection string.
#[test]
fn environments_that_are_handed_over_are_well() {
    let emulator = emulator();
    let service = emulator.description();
    let string = format!(
        "postgresql://{}@{}:{}/{}?sslmode=require",
        service.client_id, service.pg_host, service.pg_port, service.database
    );
    let variables = [
        ("PGAPPNAME", "app"),
        ("PGDATABASE", &service.database),
        ("PGHOST", &service.pg_host),
        ("PGSSLMODE", "require"),
        ("PGUSER", &service.client_id),
    ];
    for handed_over in [
        [&variables[..], &[("LAKEBASE_ENDPOINT", &service.endpoint)]].concat(),
        variables.to_vec(),
        vec![("PGHOST", service.provisioned_host.as_str()), ("PGSSLMODE", "require")],
        vec![("LAKEBASE_PG_URL", string.as_str())],
        vec![("DATABASE_URL", string.as_str())],
        vec![("PGENDPOINT", service.endpoint.as_str()), ("PGSSLMODE", "require")],
    ] {
        let command = || {
            let mut command = configured(&emulator);
            command.env_remove("LAKEBASE_ENDPOINT").env_remove("LAKEBASE_PROJECT");
            command.envs(handed_over.iter().copied());
            command
        };
        let found = examine(&emulator, &mut command());
        assert_eq!(found["ok"], true, "{found}");
        let raised = "sslmode verify-full (raised from require, because a token was sent)";
        assert_eq!(detail(&found, "login"), format!("accepted, {raised}"), "{found}");
        let run = Run::of(command().args(["query", "select 1 as one"]));
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}

#[test]
fn nothing_configured_is_the_first_finding() {
    let emulator = emulator();
    let found = examine(&emulator, &mut bare());
    assert_fault(&found, "configuration", "configuration", &["LAKEBASE_PROJECT", "PGHOST"]);
    assert_eq!(steps(&found, "skipped").len(), STEPS.len() - 1);
    for (variable, value) in [
        ("LAKEBASE_PG_URL", "mysql://u:secret-canary@h/d"),
        ("DATABRICKS_HOST", "https://u:secret-canary@w.example"),
        ("PGHOST", "u:secret-canary@w.example"),
    ] {
        let mut command = bare();
        if variable == "DATABRICKS_HOST" {
            command.env("LAKEBASE_PROJECT", "demo").env("DATABRICKS_TOKEN", "dapi-canary");
        }
        let found = examine(&emulator, command.env(variable, value));
        assert_fault(&found, "configuration", "configuration", &[variable]);
    }
}

#[test]
fn no_part_of_a_password_that_was_not_encoded_is_shown() {
    let places = PLACES.into_iter().cycle();
    for (number, (password, place)) in passwords::generate(100).zip(places).enumerate() {
        let url = place.replace("PASSWORD", &password);
        let mut command = bare();
        // From both sources, in both forms, with all that is said on the way.
        match number % 3 {
            0 => command.env("LAKEBASE_PG_URL", &url).args(["doctor", "--json"]),
            1 => command.args(["doctor", "--verbose", "--url", &url]),
            _ => command.args(["query", "select 1", "--verbose", "--url", &url]),
        };
        let run = Run::of(command.env("PGCONNECT_TIMEOUT", "1"));
        assert_eq!(run.code, Some(1), "nothing listens there");
        let said = run.stdout + &run.stderr;
        assert!(said.len() > 100, "{said}");
        assert_eq!(passwords::leak(&password, &said), None, "in {said:?}, for {place}");
    }
}
