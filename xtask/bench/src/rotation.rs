//! A pool whose token changes every second while connections are replaced all the time: errors, and what it does to the slowest queries.

use std::time::Duration;

use anyhow::Result;
use lakebase_emulator::{Effect, Emulator, Fault, Operation};
use serde_json::json;

use crate::Settings;
use crate::process::{Dialogue, number};
use crate::report::Report;
use crate::start::own;
use crate::world::World;

const CONNECTIONS: u32 = 8;
const TASKS: u64 = 8;
/// Connections are replaced after this, so that logins and rotations meet.
const LIFETIME: Duration = Duration::from_millis(250);
/// How long one measurement takes: a few rotations.
const MILLIS: u64 = 4_000;

/// Renewed ahead of its end, by half of it: a rotation a second.
const TOKEN: Duration = Duration::from_secs(2);

const SUBJECTS: [(&str, &str); 2] =
    [("ours", "pool-ours"), ("sqlx with a timer", "pool-sqlx-timer")];

/// Tokens live an hour; two seconds; two seconds, and in each run two requests for a token in a row fail.
const CASES: [&str; 3] = ["no rotation", "rotation every second", "and two mints in a row fail"];

/// Per case: errors, logins, and the 99th percentile of the time of a query with its acquire.
///
/// All go through the emulator's gateway, which refuses dead tokens.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let world = World::start(Emulator::builder(), &settings.peers)?;
    let mut running = Vec::new();
    for (number, case) in CASES.into_iter().enumerate() {
        for (name, subject) in SUBJECTS {
            // An endpoint for each, so that a fault meets its own case and logins are counted apart.
            let endpoint = world.endpoint(&format!("{subject}{number}"))?;
            if number > 0 {
                let lifetime = Effect::Lifetime { duration: TOKEN };
                world.emulator.inject(Fault::new(Operation::Credentials, lifetime).only(&endpoint));
            }
            let variables = world.variables(&endpoint)?.set("BENCH_CONNECTIONS", CONNECTIONS);
            let variables = variables.set("BENCH_LIFETIME_MS", LIFETIME.as_millis());
            let dialogue = Dialogue::start(&mut own(subject, &variables)?)?;
            running.push((case, name, endpoint, dialogue));
        }
    }
    let order = json!({ "operation": "query", "tasks": TASKS, "millis": MILLIS });
    for _ in 0..settings.rounds {
        for (case, name, endpoint, dialogue) in &mut running {
            let before = world.emulator.counters(endpoint).unwrap_or_default();
            if *case == CASES[2] {
                fail_twice(&world, endpoint);
            }
            let answer = dialogue.ask(&order)?;
            let after = world.emulator.counters(endpoint).unwrap_or_default();
            let logins = (after.accepted - before.accepted) as f64;
            let errors = number(&answer, "errors")?;
            report.add(case, name, "errors", errors);
            report.add(case, name, "logins", logins);
            report.add(case, name, "refused logins", (after.refused - before.refused) as f64);
            report.add(case, name, "p99 us", number(&answer, "p99")?);
            if errors > 0.0 {
                report.note(case, name, "errors", format!("the first: {}", answer["error"]));
            }
        }
    }
    Ok(())
}

/// The next two requests for a token of `endpoint` fail.
fn fail_twice(world: &World, endpoint: &str) {
    let unavailable = Effect::reply(503);
    world.emulator.inject(Fault::new(Operation::Credentials, unavailable).only(endpoint).times(2));
}
