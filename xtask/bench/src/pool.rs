//! A warm pool over a link with latency: what one statement, or an acquire and release, costs on top of the round trip that it needs.

use std::time::Duration;

use anyhow::Result;
use lakebase_emulator::Emulator;
use serde_json::json;

use crate::postgres::Postgres;
use crate::process::{Dialogue, number};
use crate::report::Report;
use crate::start::Start;
use crate::world::World;
use crate::{Settings, link};

/// Milliseconds that a round trip to Postgres takes longer.
const LATENCIES: [u64; 3] = [0, 1, 5];
const TASKS: [u64; 3] = [1, 8, 64];
const OPERATIONS: [(&str, &str); 2] =
    [("acquire", "acquire + release"), ("query", "one-shot query")];
const CONNECTIONS: u32 = 16;
/// How long one measurement takes.
const MILLIS: u64 = 250;
/// How often the pools of deadpool are started and measured in a round.
const STARTS: usize = 5;

/// In the order of the table; the second is what ours is compared with, and the fifth what ours with deadpool is.
const SUBJECTS: [(&str, Start); 6] = [
    ("ours", Start::Own("pool-ours")),
    ("sqlx without ping", Start::Own("pool-sqlx-no-ping")),
    ("sqlx", Start::Own("pool-sqlx")),
    ("ours, deadpool", Start::Deadpool("ours")),
    ("deadpool-postgres", Start::Deadpool("pool")),
    ("@databricks/lakebase", Start::Node("pool.mjs")),
];

/// Per case: microseconds of wall time per operation, all tasks together.
///
/// All subjects talk verified TLS to the same real Postgres, each through links of its own. Both pools of deadpool are started anew for each
/// turn, and have more of them: their ratio is of interest, and one start differs from the next by a tenth in where its data lie. The others
/// are not, because programs in JavaScript become faster while they run.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let world = World::start(Emulator::builder(), &settings.peers)?;
    let user = &world.emulator.description().client_id;
    let postgres = Postgres::start(&settings.peers, user)?;
    for latency in LATENCIES {
        // Without latency there is no link: it would cost more than what is measured.
        let port = match latency {
            0 => postgres.address.port(),
            _ => link::open(postgres.address, Duration::from_millis(latency))?,
        };
        let variables = world.variables_for(&postgres, port)?;
        let variables = variables.set("BENCH_CONNECTIONS", CONNECTIONS);
        let mut running = Vec::new();
        for (name, start) in SUBJECTS {
            match start.command(&settings.peers, &variables)? {
                Ok(mut command) => {
                    let dialogue = Dialogue::start(&mut command)?;
                    let restart = matches!(start, Start::Deadpool(_)).then_some(command);
                    running.push((name, dialogue, restart));
                }
                Err(reason) => {
                    cases(latency)
                        .for_each(|(_, _, case)| report.note(&case, name, "us", reason.clone()));
                }
            }
        }
        for turn in 0..settings.rounds * STARTS {
            for (_, dialogue, restart) in running.iter_mut().filter(|_| turn > 0) {
                if let Some(command) = restart {
                    *dialogue = Dialogue::start(command)?;
                }
            }
            for (operation, tasks, case) in cases(latency) {
                for (name, dialogue, restart) in &mut running {
                    if restart.is_none() && turn % STARTS != 0 {
                        continue;
                    }
                    let order = json!({ "operation": operation, "tasks": tasks, "millis": MILLIS });
                    let answer = dialogue.ask(&order)?;
                    let each = number(&answer, "micros")? / number(&answer, "operations")?.max(1.0);
                    report.add(&case, name, "us", each);
                    if answer.get("errors").is_some_and(|errors| errors != 0) {
                        report.note(&case, name, "us", format!("errors: {answer}"));
                    }
                }
            }
            // So that nobody always comes after the same one.
            running.reverse();
        }
    }
    Ok(())
}

fn cases(latency: u64) -> impl Iterator<Item = (&'static str, u64, String)> {
    OPERATIONS.into_iter().flat_map(move |(operation, label)| {
        TASKS.into_iter().map(move |tasks| {
            let noun = if tasks == 1 { "task" } else { "tasks" };
            (operation, tasks, format!("{label}, {latency} ms, {tasks} {noun}"))
        })
    })
}
