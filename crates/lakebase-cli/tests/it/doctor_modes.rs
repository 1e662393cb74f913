//! What `lakebase doctor` says of servers without a workspace, and of each `sslmode`.

use lakebase_emulator::{Effect, Emulator, Fault, Operation, WrongCertificate};
use serde_json::Value;

use crate::doctor::{assert_fault, detail, examine, examine_with, step, steps};
use crate::support::{Run, bare, configured, emulator, json};

/// A URL with the native password.
fn native_url(emulator: &Emulator) -> String {
    let it = emulator.description();
    let (user, password) = (&it.password_user, &it.password);
    format!("postgresql://{user}:{password}@{}:{}/{}", it.pg_host, it.pg_port, it.database)
}

#[test]
fn native_passwords_and_plain_servers_need_no_workspace() {
    let emulator = emulator();
    let service = emulator.description();
    let native = [("PGUSER", &*service.password_user), ("PGPASSWORD", &service.password)];
    let found = examine_with(&emulator, &native);
    assert_eq!(steps(&found, "skipped"), ["credential"], "{found}");
    assert_eq!(found["ok"], true);

    let url = native_url(&emulator);
    let mut command = bare();
    command
        .env("LAKEBASE_PG_URL", url)
        .env("LAKEBASE_DNS", &service.dns)
        .env("PGSSLROOTCERT", &service.ca_cert);
    let found = examine(&emulator, &mut command);
    let workspace = ["workspace", "clock", "identity", "endpoint", "credential"];
    assert_eq!(steps(&found, "skipped"), workspace, "{found}");
    assert_eq!(found["ok"], true);
    assert_eq!(step(&found, "workspace")["detail"], "nothing is asked of a workspace");
}

/// `lakebase doctor` about the private address that `lakebase exec` gives, with another sslmode.
fn examine_private(emulator: &Emulator, flags: &[&str], sslmode: &str) -> Value {
    let doctor = format!(
        "LAKEBASE_PG_URL=${{LAKEBASE_PG_URL%disable}}{sslmode} exec '{}' doctor --json",
        bare().get_program().to_str().unwrap()
    );
    let mut command = configured(emulator);
    command.arg("exec").args(flags).args(["--url-variable", "LAKEBASE_PG_URL", "--"]);
    command.args(["env", "-u", "LAKEBASE_PROJECT", "sh", "-c"]).arg(doctor);
    json(&Run::of(&mut command).stdout)
}

#[test]
fn unix_sockets_and_servers_without_tls_are_examined_as_far_as_they_go() {
    let emulator = emulator();
    let found = examine_private(&emulator, &[], "disable");
    assert_eq!(found["ok"], true, "{found}");
    assert!(detail(&found, "tcp").contains("/.s.PGSQL.5432"), "{found}");
    assert!(steps(&found, "skipped").ends_with(&["host", "tls"]), "{found}");

    let found = examine_private(&emulator, &["--tcp"], "disable");
    assert_eq!((&found["ok"], &step(&found, "tls")["verdict"]), (&true.into(), &"skipped".into()));
    let found = examine_private(&emulator, &["--tcp"], "prefer");
    assert_eq!(found["ok"], true, "{found}");
    let detail = detail(&found, "tls");
    assert_eq!(detail, "the server offers none, which sslmode prefer allows");
    let found = examine_private(&emulator, &["--tcp"], "verify-full");
    assert_fault(&found, "tls", "tls_not_offered", &["offers none"]);
}

#[test]
fn weaker_modes_go_on_and_say_what_they_overlook() {
    let emulator = Emulator::builder().start().unwrap();
    let service = emulator.description();
    let url = native_url(&emulator);
    let examine = |mode: &str, wrong: WrongCertificate| {
        emulator.clear();
        emulator.inject(Fault::new(Operation::Login, Effect::Certificate { wrong }));
        let mut command = bare();
        command.env("LAKEBASE_PG_URL", &url).env("LAKEBASE_DNS", &service.dns);
        command.env("PGSSLMODE", mode).env("PGSSLROOTCERT", &service.ca_cert);
        examine(&emulator, &mut command)
    };
    let found = examine("require", WrongCertificate::Authority);
    assert_eq!(found["ok"], true, "{found}");
    let detail = detail(&found, "tls");
    assert!(detail.contains("not verified, as sslmode require allows"), "{detail}");
    let found = examine("verify-ca", WrongCertificate::Name);
    assert_eq!(found["ok"], true, "{found}");
    let found = examine("verify-ca", WrongCertificate::Authority);
    assert_fault(&found, "tls", "certificate_authority_unknown", &["Somebody else"]);
}
