//! The emulated workspace, a handle whose clock is moved by hand, and what both have counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lakebase::Lakebase;
use lakebase::core::{Environment, Runtime};
use lakebase_emulator::{Counters, Emulator, WakeStyle};
use lakebase_testkit::FakeTime;

use crate::Event;
use crate::trips::Counting;

/// Longer than a token lives.
const ROTATION: Duration = Duration::from_secs(61 * 60);

pub(crate) struct Stage {
    emulator: Emulator,
    time: FakeTime,
    trips: Arc<AtomicUsize>,
    pub(crate) lakebase: Lakebase,
}

/// How often things happened so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    accepted: u64,
    refused: u64,
    wakes: u64,
    minted: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let config = Emulator::builder().wake_style(WakeStyle::StartingUp);
        let emulator = config.wake_delay(Duration::from_millis(150)).start();
        let emulator = emulator.expect("an emulator starts");
        let time = FakeTime::new();
        let builder = || Lakebase::builder().environment(environment(&emulator));
        let runtime =
            builder().build().expect("the settings are right").connector().runtime().clone();
        let (trips, port) = (Arc::<AtomicUsize>::default(), emulator.description().pg_port);
        let dial = Arc::clone(&runtime.dial);
        let dial = Arc::new(Counting { dial, port, trips: Arc::clone(&trips) });
        let runtime = Runtime { clock: Arc::new(time.clone()), dial, ..runtime };
        let lakebase = builder().build_with(runtime).expect("the settings are right");
        Self { emulator, time, trips, lakebase }
    }

    pub(crate) fn make_happen(&self, event: Event) {
        let endpoint = &self.emulator.description().endpoint;
        match event {
            Event::Start => {}
            Event::Rotation => {
                self.time.advance(ROTATION);
                self.emulator.advance(ROTATION);
            }
            Event::Suspension => {
                self.emulator.suspend(endpoint).expect("it exists");
                while self.sessions() > 0 {
                    std::thread::yield_now();
                }
            }
            Event::Revocation => self.emulator.revoke_tokens(),
        }
    }

    /// To the server and back, so far.
    pub(crate) fn trips(&self) -> usize {
        self.trips.load(Ordering::Relaxed)
    }

    fn counters(&self) -> Counters {
        let counters = self.emulator.counters(&self.emulator.description().endpoint);
        counters.expect("the endpoint exists")
    }

    /// How many there are now.
    pub(crate) fn sessions(&self) -> usize {
        usize::try_from(self.counters().open).expect("they are few")
    }

    pub(crate) fn counts(&self) -> Counts {
        let logins = self.counters();
        let requests = self.emulator.requests();
        let minted = requests.iter().filter(|request| request.path.ends_with("/credentials"));
        Counts {
            accepted: logins.accepted,
            refused: logins.refused,
            wakes: logins.wakes,
            minted: minted.count() as u64,
        }
    }
}

impl Counts {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            accepted: self.accepted - before.accepted,
            refused: self.refused - before.refused,
            wakes: self.wakes - before.wakes,
            minted: self.minted - before.minted,
        }
    }

    /// The emulator accepts no token that is dead or revoked, so a login that it accepted after these had a new one.
    pub(crate) fn expect_after(self, event: Event) {
        let Self { accepted, refused, wakes, minted } = self;
        let logged_in = accepted > 0;
        let as_expected = match event {
            Event::Start | Event::Rotation => refused == 0 && wakes == 0 && minted == 1,
            Event::Suspension => refused > 0 && wakes == 1 && minted == 0,
            Event::Revocation => refused > 0 && wakes == 0 && minted > 0,
        };
        assert!(logged_in && as_expected, "after {event:?}: {self:?}");
    }
}

/// The settings of a service principal that is to use the read-write endpoint.
fn environment(emulator: &Emulator) -> Environment {
    let it = emulator.description();
    let variables = BTreeMap::from([
        ("DATABRICKS_HOST", it.host.clone()),
        ("DATABRICKS_CLIENT_ID", it.client_id.clone()),
        ("DATABRICKS_CLIENT_SECRET", it.client_secret.clone()),
        ("LAKEBASE_ENDPOINT", it.endpoint.clone()),
        ("LAKEBASE_DNS", it.dns.clone()),
        ("PGPORT", it.pg_port.to_string()),
        ("PGSSLROOTCERT", it.ca_cert.clone()),
    ]);
    Environment::new(move |name| variables.get(name).cloned(), |path| std::fs::read_to_string(path))
}
