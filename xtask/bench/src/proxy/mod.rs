//! Relays between clients that speak plain Postgres and a server that wants TLS: throughput, new connections, what bytes and idle sessions cost.

mod idle;
mod load;
mod relays;
mod shim;

use std::time::Duration;

use anyhow::Result;
use lakebase_emulator::Emulator;

use self::load::Load;
use self::relays::{Kind, Relay};
use crate::postgres::Postgres;
use crate::report::Report;
use crate::world::World;
use crate::{Settings, clock, usage};

/// Sessions that are open and say nothing.
const IDLE: usize = 500;

/// Before each turn: logins that the last one has begun keep the server busy for a while.
const PAUSE: Duration = Duration::from_millis(500);

/// In the order of the table.
const SUBJECTS: [(&str, Kind); 7] = [
    ("direct", Kind::Direct),
    ("lakebase proxy", Kind::Ours),
    ("lakebase proxy --pool-size", Kind::OursPooled),
    ("pgbouncer, session mode", Kind::PgBouncer),
    ("socat openssl", Kind::Socat),
    ("stunnel", Kind::Stunnel),
    ("direct, through socat's shim", Kind::Shim),
];

/// What pgbench does. With 64 clients short turns differ by a tenth.
const LOADS: [(&str, Load); 5] = [
    ("pgbench -S, 1 client", Load { clients: 1, reconnect: false, seconds: 1 }),
    ("pgbench -S, 8 clients", Load { clients: 8, reconnect: false, seconds: 1 }),
    ("pgbench -S -C, 1 client", Load { clients: 1, reconnect: true, seconds: 1 }),
    ("pgbench -S -C, 8 clients", Load { clients: 8, reconnect: true, seconds: 1 }),
    ("pgbench -S -C, 64 clients", Load { clients: 64, reconnect: true, seconds: 5 }),
];

const COPY: &str = "COPY of 1 GB";
const SESSIONS: &str = "500 idle connections";

/// Per load: transactions a second. For a copy of 1 GB: seconds, and the relay's processor time. For idle connections: memory of the relay per connection.
///
/// The server is a real Postgres with TLS. Every relay verifies its certificate and name, but pgbouncer and our pool keep sessions at the server, so their
/// new connections cost no login there. socat cannot send the request for TLS that Postgres wants first; a shim in this process does, which costs a
/// hop that the last subject shows.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let world = World::start(Emulator::builder(), &settings.peers)?;
    let user = &world.emulator.description().client_id;
    let postgres = Postgres::start(&settings.peers, user)?;
    load::prepare(&postgres)?;
    {
        let mut running = Vec::new();
        for (name, kind) in SUBJECTS {
            match Relay::start(kind, &postgres, &world, &settings.peers)? {
                Ok(relay) => running.push((name, relay)),
                Err(reason) => absent(report, name, &reason),
            }
        }
        for _ in 0..settings.rounds {
            for (case, load) in LOADS {
                for (name, relay) in &running {
                    clock::pause(PAUSE);
                    report.add(case, name, "tps", load.run(&postgres, relay.way)?);
                }
            }
            // So that nobody always comes after the same one.
            running.reverse();
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // New processes, so that nothing is left of the load.
    for (name, kind) in SUBJECTS {
        let Ok(relay) = Relay::start(kind, &postgres, &world, &settings.peers)? else { continue };
        if let Some(process) = relay.process() {
            let before = usage::memory(process)?;
            let opening = idle::open(relay.way.port(), &postgres.user, IDLE);
            let sessions = runtime.block_on(opening)?;
            let grown = usage::memory(process)? - before;
            report.add(SESSIONS, name, "KB per connection", grown / sessions.len() as f64);
        }
        let before = relay.process().map(usage::processor).transpose()?;
        let seconds = load::copy(&postgres, relay.way)?;
        report.add(COPY, name, "s", seconds);
        if let (Some(process), Some(before)) = (relay.process(), before) {
            report.add(COPY, name, "processor s", usage::processor(process)? - before);
        }
    }
    Ok(())
}

fn absent(report: &mut Report, name: &str, reason: &str) {
    LOADS.iter().for_each(|(case, _)| report.note(case, name, "tps", reason));
    report.note(COPY, name, "s", reason);
    report.note(SESSIONS, name, "KB per connection", reason);
}
