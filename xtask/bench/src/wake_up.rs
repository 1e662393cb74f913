//! Logins at a suspended compute: how much later than the compute the client is there, and how often it tried.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lakebase::Lakebase;
use lakebase::sqlx::ConnectOptions as _;
use lakebase_emulator::{Emulator, WakeStyle};

use crate::report::Report;
use crate::subject::settings;
use crate::world::World;
use crate::{Settings, clock};

/// How long the compute takes to wake.
const WAKES: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(6)];
/// How it answers meanwhile.
const STYLES: [(WakeStyle, &str); 2] =
    [(WakeStyle::Hold, "held"), (WakeStyle::StartingUp, "refused")];

const OURS: &str = "ours";
const FIXED: &str = "fixed waits, 1 s doubling to 10 s";

/// Per case: milliseconds from the compute's being awake to the client's being logged in, and attempts.
///
/// All rounds of a case run side by side, each at an endpoint of its own: they wait nearly all the time.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for (style, answer) in STYLES {
        for wake in WAKES {
            let world = World::start(
                Emulator::builder().wake_style(style).wake_delay(wake),
                &settings.peers,
            )?;
            let case = format!("awake after {} s, logins {answer}", wake.as_secs_f64());
            let mut waiting = Vec::new();
            for round in 0..settings.rounds {
                for name in [OURS, FIXED] {
                    let endpoint = world.endpoint(&format!(
                        "{}{round}",
                        if name == OURS { "ours" } else { "fixed" }
                    ))?;
                    world.emulator.suspend(&endpoint)?;
                    waiting.push((name, endpoint));
                }
            }
            let took = runtime.block_on(async {
                let clients = waiting.iter().map(|(name, endpoint)| client(name, endpoint, &world));
                futures::future::try_join_all(clients).await
            })?;
            for ((name, endpoint), took) in waiting.iter().zip(took) {
                let counters = world.emulator.counters(endpoint).context("the endpoint is gone")?;
                report.add(&case, name, "ms", clock::millis(took.saturating_sub(wake)));
                report.add(&case, name, "attempts", (counters.accepted + counters.refused) as f64);
            }
        }
    }
    for (_, answer) in STYLES {
        let case = format!("awake after {} s, logins {answer}", WAKES[2].as_secs_f64());
        report.note(
            &case,
            FIXED,
            "ms",
            "Databricks' own command gives up after its third attempt, at 3 s",
        );
    }
    Ok(())
}

/// How long a login takes that is tried until it works. Everything else is known before.
async fn client(name: &str, endpoint: &str, world: &World) -> Result<Duration> {
    let variables = world.variables(endpoint)?;
    let lakebase = Lakebase::builder().environment(variables.environment()).build()?;
    let login = lakebase.connector().login().await?;
    if name == OURS {
        let started = clock::now();
        lakebase.connect().await?;
        return Ok(clock::since(started));
    }
    let token = login.params.password.as_ref().context("no token")?;
    let (options, _relay) = settings::sqlx(|name| variables.get(name))?;
    let options = options.password(token.expose());
    let started = clock::now();
    let mut waits = fixed();
    while let Err(error) = options.connect().await {
        tokio::time::sleep(waits.next().context(error)?).await;
    }
    Ok(clock::since(started))
}

/// 1, 2, 4, 8, 10, 10 … s, for a minute.
fn fixed() -> impl Iterator<Item = Duration> {
    (0..8_u32).map(|failed| Duration::from_secs(2_u64.pow(failed).min(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_waits_double_to_ten_seconds_and_end() {
        let waits: Vec<u64> = fixed().map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10, 10, 10]);
    }
}
