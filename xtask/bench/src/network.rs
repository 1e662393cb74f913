//! Addresses that swallow packets, and connections whose packets have stopped: how long tasks wait for an answer.
//!
//! Runs in a network of its own (`netns/enter` of the test kit), by this program again; packets are lost for real there. All subjects wait side by side.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lakebase_testkit::network::Link;
use serde_json::{Value, json};
use xtask::provision::netns;

use crate::peers::Peers;
use crate::postgres::{DATABASE, Postgres};
use crate::process::{Dialogue, number};
use crate::report::Report;
use crate::start::Start;
use crate::world::Variables;
use crate::{Settings, clock};

const ROUNDS: usize = 3;
/// How long a task may wait.
const LIMIT: Duration = Duration::from_secs(60);
/// How long connections are idle before their packets stop; ours are checked after 15 s.
const IDLE: Duration = Duration::from_secs(16);
const USER: &str = "bench";

const SUBJECTS: [(&str, Start); 5] = [
    ("ours", Start::Own("network-ours")),
    ("sqlx", Start::Own("network-sqlx")),
    ("deadpool-postgres", Start::Deadpool("network")),
    ("pg", Start::Node("network.mjs")),
    ("psycopg_pool", Start::Python("network.py")),
];

struct Case {
    name: &'static str,
    /// A name of `netns/hosts`.
    host: &'static str,
    tasks: u32,
    /// How long the packets of idle connections have stopped when the tasks ask; `None` if they open the connections.
    silence: Option<Duration>,
}

const CASES: [Case; 5] = [
    case("1 of 2 addresses dead", "one-of-two.test", 1, None),
    case("2 of 3 addresses dead", "one-of-three.test", 1, None),
    case("1 idle connection lost", "server.test", 1, Some(Duration::ZERO)),
    case("10 idle connections lost", "server.test", 10, Some(Duration::ZERO)),
    case("10 lost 75 s ago", "server.test", 10, Some(Duration::from_secs(75))),
];

const fn case(
    name: &'static str,
    host: &'static str,
    tasks: u32,
    silence: Option<Duration>,
) -> Case {
    Case { name, host, tasks, silence }
}

/// A subject in a case.
struct Running {
    subject: &'static str,
    case: &'static Case,
    dialogue: Dialogue,
}

/// The command of this program that measures in the network where it is; its argument is the peers as JSON.
pub(crate) const INSIDE: &str = "network";

/// Per case: milliseconds until every task had an answer, and how many had none.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let mut command = Command::new("sh");
    command.arg(netns()?).arg(std::env::current_exe()?).arg(INSIDE);
    report.run(command.arg(serde_json::to_string(&settings.peers)?))
}

/// Prints the lines of the report.
pub(crate) fn inside(peers: &str) -> Result<()> {
    let mut report = Report::default();
    // What was measured before something broke is still worth printing.
    let done = measure(&serde_json::from_str(peers)?, &mut report);
    print!("{}", report.lines()?);
    done
}

fn measure(peers: &Peers, report: &mut Report) -> Result<()> {
    let postgres = Postgres::start(peers, USER)?;
    let link = Link::open(postgres.address)?;
    for _ in 0..ROUNDS {
        let (mut opening, mut idle) = (Vec::new(), Vec::new());
        for case in &CASES {
            for (subject, start) in SUBJECTS {
                let variables = variables(subject, case, &postgres, &link);
                match start.command(peers, &variables)? {
                    Ok(mut command) => {
                        let dialogue = Dialogue::start(&mut command)?;
                        let group = if case.silence.is_none() { &mut opening } else { &mut idle };
                        group.push(Running { subject, case, dialogue });
                    }
                    Err(reason) => report.note(case.name, subject, UNIT, reason),
                }
            }
        }
        let at_once = |_: &Case| Duration::ZERO;
        add(report, ask(&mut opening, "select 1", at_once)?);
        drop(opening);
        for (subject, case, answer) in ask(&mut idle, "select pg_sleep(1)", at_once)? {
            ensure!(failed(&answer)? == 0.0, "{subject}, {}: no connections: {answer}", case.name);
        }
        clock::pause(IDLE);
        link.forget()?;
        let later = |case: &Case| case.silence.unwrap_or_default();
        add(report, ask(&mut idle, "select 1", later)?);
    }
    Ok(())
}

const UNIT: &str = "ms until all have an answer";

fn add(report: &mut Report, answers: Vec<(&'static str, &'static Case, Value)>) {
    for (subject, case, answer) in answers {
        let (Ok(millis), Ok(failed)) = (number(&answer, "millis"), failed(&answer)) else {
            continue;
        };
        if failed == 0.0 {
            report.add(case.name, subject, UNIT, millis);
        } else {
            let why = answer.get("why").and_then(Value::as_str).unwrap_or_default();
            let note = format!("after {:.0} s: {why}", millis / 1e3);
            report.note(case.name, subject, UNIT, note);
        }
        report.add(case.name, subject, "tasks without an answer", failed);
    }
}

fn failed(answer: &Value) -> Result<f64> {
    number(answer, "failed")
}

/// What comes of it when the tasks of each subject run `sql`, all subjects side by side, each `after` so long.
fn ask(
    running: &mut [Running],
    sql: &str,
    after: fn(&Case) -> Duration,
) -> Result<Vec<(&'static str, &'static Case, Value)>> {
    thread::scope(|scope| {
        let asking: Vec<_> = running
            .iter_mut()
            .map(|Running { subject, case, dialogue }| {
                let order = json!({ "tasks": case.tasks, "sql": sql, "limit": LIMIT.as_millis() });
                scope.spawn(move || {
                    clock::pause(after(case));
                    Ok((*subject, *case, dialogue.ask(&order)?))
                })
            })
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<_>>| {
            thread.join().ok().context("a thread panicked")?
        };
        asking.into_iter().map(join).collect()
    })
}

/// The settings of a subject, also as a URL, from which ours takes all of them.
fn variables(subject: &str, case: &Case, postgres: &Postgres, link: &Link) -> Variables {
    let (host, port) = (case.host, link.address().port());
    let certificate = postgres.certificate();
    let certificate = certificate.display();
    let variables = Variables::default()
        .set("PGHOST", host)
        .set("PGPORT", port)
        .set("PGUSER", USER)
        .set("PGDATABASE", DATABASE)
        .set("PGSSLROOTCERT", &certificate)
        .set("NODE_EXTRA_CA_CERTS", &certificate)
        .set("BENCH_CONNECTIONS", case.tasks);
    if subject != "ours" {
        return variables;
    }
    let url = format!("postgresql://{USER}:any@{host}:{port}/{DATABASE}?sslrootcert={certificate}");
    variables.unset("PGHOST").set("LAKEBASE_PG_URL", url)
}
