//! Runs every example as its users would: a process with nothing but environment variables.
#![cfg(all(feature = "tokio", feature = "smol", feature = "sqlx"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::PathBuf;
use std::process::Command;

use lakebase_emulator::Emulator;

/// The variables that describe `emulator` to a program.
fn variables(emulator: &Emulator) -> Vec<(&'static str, String)> {
    let about = emulator.description();
    vec![
        ("DATABRICKS_HOST", about.host.clone()),
        ("DATABRICKS_CLIENT_ID", about.client_id.clone()),
        ("DATABRICKS_CLIENT_SECRET", about.client_secret.clone()),
        ("LAKEBASE_PROJECT", about.project.clone()),
        ("LAKEBASE_BRANCH", about.branch.clone()),
        ("LAKEBASE_DNS", about.dns.clone()),
        ("PGPORT", about.pg_port.to_string()),
        ("PGSSLROOTCERT", about.ca_cert.clone()),
    ]
}

/// Runs an example and returns what it printed.
fn run(name: &str, arguments: &[&str], variables: &[(&'static str, String)]) -> String {
    let mut folder: PathBuf = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    let output = Command::new(folder.join("examples").join(name))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} failed: {text}{problems}");
    text
}

#[test]
fn examples_work() {
    let emulator = Emulator::start(Emulator::builder()).unwrap();
    let about = emulator.description().clone();
    let variables = variables(&emulator);
    assert_eq!(run("direct", &[], &variables), format!("logged in as {}\n", about.client_id));
    assert_eq!(run("pool", &[], &variables), "the answer is 1\n");
    assert_eq!(run("smol", &[], &variables), "the answer is 1\n");
    assert_eq!(run("limits", &[], &variables), "writable: false\n");

    let file = std::env::temp_dir().join(format!("lakebase-example-{}", std::process::id()));
    std::fs::write(&file, format!("{}\n", about.password)).unwrap();
    let counted = run("password", &[&about.password_user, file.to_str().unwrap()], &variables);
    std::fs::remove_file(&file).unwrap();
    assert!(counted.ends_with(" relations\n"), "{counted}");
}

/// The same program with nothing but a URL in its environment.
#[test]
fn a_url_alone_is_enough() {
    let emulator = Emulator::start(Emulator::builder()).unwrap();
    let about = emulator.description();
    let url = format!(
        "postgresql+psycopg://{}:{}@{}:{}/{}?hostaddr=127.0.0.1&sslrootcert={}",
        about.password_user,
        about.password,
        about.pg_host,
        about.pg_port,
        about.database,
        about.ca_cert
    );
    let printed = run("direct", &[], &[("LAKEBASE_PG_URL", url)]);
    assert_eq!(printed, format!("logged in as {}\n", about.password_user));
}
