//! Runs every example as its users would: a process with nothing but environment variables.
#![cfg(all(feature = "tokio", feature = "smol", feature = "sqlx"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

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
    assert_eq!(run("deadpool", &[], &variables), "the answer is 42\n");
    assert_eq!(run("bb8", &[], &variables), "the answer is 42\n");
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

/// A program that runs until it is told to end, and the lines that it prints. Killed if a test fails.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(name: &str, variables: &[(&'static str, String)]) -> Self {
        let mut command = example(name, variables);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many database tokens were minted.
fn minted(emulator: &Emulator) -> usize {
    emulator.requests().iter().filter(|request| request.path.ends_with("/credentials")).count()
}

/// The status and body of one GET request.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn the_web_service_serves_through_rotations_and_a_suspend() {
    serves_through_rotations_and_a_suspend("web");
}

#[cfg(feature = "deadpool")]
#[test]
fn so_it_does_with_deadpool() {
    serves_through_rotations_and_a_suspend("web_deadpool");
}

fn serves_through_rotations_and_a_suspend(name: &str) {
    let config = Emulator::builder().database_token_lifetime(Duration::from_secs(4));
    let emulator = Emulator::start(config).unwrap();
    let mut web = Running::start(name, &variables(&emulator));
    let address = web.line().strip_prefix("listening on ").unwrap().to_owned();
    let mut served = 0;
    let mut serve_until = |tokens: usize| {
        while minted(&emulator) < tokens {
            assert_eq!(get(&address, "/count").0, 200);
            assert_eq!(get(&address, "/readyz"), (200, "ready".to_owned()));
            served += 1;
        }
    };
    serve_until(3);
    emulator.suspend(&emulator.description().endpoint).unwrap();
    assert_eq!(get(&address, "/count").0, 200, "the request after a suspend");
    serve_until(5);
    assert!(served > 4, "{served}");
    let counters = emulator.counters(&emulator.description().endpoint).unwrap();
    assert_eq!((counters.refused, counters.wakes), (0, 1));

    let interrupt = Command::new("kill").args(["-INT", &web.child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    assert_eq!(web.line(), "closed: true");
    assert!(web.child.wait().unwrap().success());
}

#[test]
fn the_worker_works_through_rotations() {
    let config = Emulator::builder().database_token_lifetime(Duration::from_secs(4));
    let emulator = Emulator::start(config).unwrap();
    let mut worker = Running::start("worker", &variables(&emulator));
    let mut input = worker.child.stdin.take().unwrap();
    while minted(&emulator) < 3 {
        writeln!(input, "four").unwrap();
        assert_eq!(worker.line(), "4 true");
    }
    drop(input);
    assert_eq!(worker.line(), "closed: true");
    assert!(worker.child.wait().unwrap().success());
}
