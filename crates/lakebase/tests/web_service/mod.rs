//! The web service of the examples as its users see it, whatever its database driver. `tests/drivers` has this, too.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use lakebase_emulator::Emulator;

/// A program's environment.
pub(crate) type Variables = [(&'static str, String)];

/// The variables that describe `emulator` to a program.
pub(crate) fn variables(emulator: &Emulator) -> Vec<(&'static str, String)> {
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

/// A program that runs until it is told to end, and the lines that it prints. Killed if a test fails.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub(crate) fn line(&mut self) -> String {
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
pub(crate) fn minted(emulator: &Emulator) -> usize {
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

/// Runs what `service` makes of its environment until several tokens and a sleep of the compute have passed, and ends it.
pub(crate) fn serves_through_rotations_and_a_suspend(service: impl Fn(&Variables) -> Command) {
    let config = Emulator::builder().database_token_lifetime(Duration::from_secs(4));
    let emulator = Emulator::start(config).unwrap();
    let mut web = Running::start(service(&variables(&emulator)));
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
