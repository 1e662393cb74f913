//! Time to the first row of a new process, with an HTTP latency that is known: what a cold start costs, in round trips to the workspace.

use std::time::Duration;

use anyhow::Result;
use lakebase_emulator::{Emulator, sequential_hops};

use crate::Settings;
use crate::process::{ask, number};
use crate::report::Report;
use crate::start::{Start, own};
use crate::world::{Variables, World};

const LATENCIES: [u64; 4] = [0, 20, 50, 200];
/// What a client knows, by the argument that subjects get.
const KNOWN: [(&str, &str); 3] =
    [("branch", "branch known"), ("endpoint", "endpoint known"), ("host", "host known")];

const SUBJECTS: [(&str, Start); 3] = [
    ("ours", Start::Own("connect-ours")),
    ("databricks-sdk + psycopg", Start::Python("first_query.py")),
    ("@databricks/lakebase", Start::Node("first_query.mjs")),
];

/// Per case and latency: milliseconds, and hops by time: what was needed beyond the floor, in latencies. Per case: requests as the emulator counted
/// them, and how many of them in a row.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let world = World::start(Emulator::builder(), &settings.peers)?;
    let token = token(&world)?;
    for (name, start) in SUBJECTS {
        if let Err(reason) = start.command(&settings.peers, &Variables::default())? {
            absent(report, name, &reason);
        }
    }
    for latency in LATENCIES {
        world.set_latency(Duration::from_millis(latency));
        for _ in 0..settings.rounds {
            let floor = variables("host", &world)?.set("BENCH_TOKEN", &token);
            let floor = number(&ask(&mut own("connect-sqlx", &floor)?)?, "millis")?;
            for (known, case) in KNOWN {
                report.add(&time(case, latency), FLOOR, "ms", floor);
                for (name, start) in SUBJECTS {
                    let variables = variables(known, &world)?;
                    let Ok(mut command) = start.command(&settings.peers, &variables)? else {
                        continue;
                    };
                    if !matches!(start, Start::Own(_)) {
                        command.arg(known);
                    }
                    world.emulator.clear_requests();
                    let millis = number(&ask(&mut command)?, "millis")?;
                    let requests = world.emulator.requests();
                    report.add(&time(case, latency), name, "ms", millis);
                    if latency > 0 {
                        let hops = (millis - floor) / latency as f64;
                        report.add(&format!("{case}, {latency} ms"), name, "hops by time", hops);
                    }
                    // With latency, requests made at the same time overlap for certain.
                    if latency == LATENCIES[LATENCIES.len() - 1] {
                        report.add(case, name, "requests", requests.len() as f64);
                        report.add(
                            case,
                            name,
                            "requests in a row",
                            sequential_hops(&requests) as f64,
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

const FLOOR: &str = "floor: sqlx, token in hand";

fn time(case: &str, latency: u64) -> String {
    format!("{case}, {latency} ms")
}

fn absent(report: &mut Report, name: &str, reason: &str) {
    for (_, case) in KNOWN {
        for latency in LATENCIES {
            report.note(&time(case, latency), name, "ms", reason);
        }
    }
}

/// A token that the emulator accepts, minted once for the floor.
fn token(world: &World) -> Result<String> {
    let variables = world.variables(&world.emulator.description().endpoint)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lakebase = lakebase::Lakebase::builder().environment(variables.environment()).build()?;
    let held = runtime.block_on(lakebase.credential())?;
    Ok(held.token.expose().to_owned())
}

/// The settings of a client: `PGHOST` only if the host is known, the endpoint's name only if not just its branch is.
fn variables(known: &str, world: &World) -> Result<Variables> {
    let it = world.emulator.description();
    let variables = world.variables(&it.endpoint)?;
    Ok(match known {
        "branch" => variables
            .unset("LAKEBASE_ENDPOINT")
            .unset("PGHOST")
            .set("LAKEBASE_PROJECT", &it.project)
            .set("LAKEBASE_BRANCH", &it.branch),
        "endpoint" => variables.unset("PGHOST"),
        _ => variables,
    })
}
