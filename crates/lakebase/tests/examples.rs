//! Runs every example as its users would: a process with nothing but environment variables.
#![cfg(all(feature = "tokio", feature = "smol", feature = "sqlx"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod web_service;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lakebase_emulator::Emulator;
use web_service::{Running, minted, serves_through_rotations_and_a_suspend, variables};

/// An example as a program with these variables and no others.
fn example(name: &str, variables: &[(&'static str, String)]) -> Command {
    let mut folder: PathBuf = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    let mut command = Command::new(folder.join("examples").join(name));
    command.env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs an example and returns what it printed.
fn run(name: &str, arguments: &[&str], variables: &[(&'static str, String)]) -> String {
    let output = example(name, variables).args(arguments).output().unwrap();
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

#[cfg(all(feature = "deadpool", feature = "bb8"))]
#[test]
fn so_do_those_of_tokio_postgres() {
    let emulator = Emulator::start(Emulator::builder()).unwrap();
    let variables = variables(&emulator);
    let user = &emulator.description().client_id;
    assert_eq!(run("tokio_postgres", &[], &variables), format!("logged in as {user}\n"));
    for pool in ["deadpool", "bb8"] {
        let said = "the answer is 42\n1 open, 0 idle, 0 waiting\n";
        assert_eq!(run(pool, &[], &variables), said, "{pool}");
    }
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

#[test]
fn the_web_service_serves_through_rotations_and_a_suspend() {
    serves_through_rotations_and_a_suspend(|variables| example("web", variables));
}

#[cfg(feature = "deadpool")]
#[test]
fn so_it_does_with_deadpool() {
    serves_through_rotations_and_a_suspend(|variables| example("web_deadpool", variables));
}

#[test]
fn the_worker_works_through_rotations() {
    let config = Emulator::builder().database_token_lifetime(Duration::from_secs(4));
    let emulator = Emulator::start(config).unwrap();
    let mut worker = Running::start(example("worker", &variables(&emulator)));
    let mut input = worker.child.stdin.take().unwrap();
    while minted(&emulator) < 3 {
        writeln!(input, "four").unwrap();
        assert_eq!(worker.line(), "4 true");
    }
    drop(input);
    assert_eq!(worker.line(), "closed: true");
    assert!(worker.child.wait().unwrap().success());
}
