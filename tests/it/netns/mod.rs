//! Real packets that are lost, between network namespaces. The cell `netns` of the matrix runs these in a network of their own.
//!
//! Most cases wait a minute for the kernel to give up, and all of them side by side.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use lakebase::Lakebase;
use lakebase::sqlx::{PgConnection, query_scalar};
use lakebase_testkit::network::Link;

use crate::psql::Psql;
use crate::support::{Setup, shared};

mod dead_address;
mod forgotten;
#[cfg(feature = "tokio")]
mod proxy;
mod release;
mod statement;

/// What a minute without an answer must not exceed: keepalive's and the user time-out's 60 s, and what kernels add.
const GIVEN_UP: Duration = Duration::from_secs(75);

/// A link to the emulator's Postgres.
fn link() -> Link {
    let server = ([127, 0, 0, 1], shared().description().pg_port).into();
    Link::open(server)
        .expect("`cargo xtask test-matrix --cell netns` runs these tests where they may have links")
}

/// The `application_name` of sessions that belong to `link`.
fn name(link: &Link) -> String {
    link.near().to_string()
}

/// What leads to a server at the far end of `link`.
fn behind(link: &Link) -> Setup {
    let address = link.address();
    let setup = Setup::m2m(shared()).set("PGHOSTADDR", address.ip()).set("PGPORT", address.port());
    setup.set("PGAPPNAME", name(link))
}

/// Sees the sessions that belong to a link, on a way that is not cut.
struct Onlooker {
    lakebase: Lakebase,
    connection: PgConnection,
    name: String,
}

impl Onlooker {
    async fn of(link: &Link) -> Self {
        let lakebase = Setup::m2m(shared()).build();
        let connection = lakebase.connect().await.unwrap();
        Self { lakebase, connection, name: name(link) }
    }

    /// How many of them are in a state that is like this one.
    async fn count(&mut self, state: &str) -> i64 {
        let sql =
            "select count(*) from pg_stat_activity where application_name = $1 and state like $2";
        let query = query_scalar(sql).bind(&self.name).bind(state);
        query.fetch_one(&mut self.connection).await.unwrap()
    }

    /// Waits until so many of them are.
    async fn until(&mut self, count: i64, state: &str) {
        let runtime = self.lakebase.connector().runtime().clone();
        let started = runtime.clock.monotonic();
        while self.count(state).await != count {
            let passed = runtime.clock.monotonic() - started;
            assert!(passed < GIVEN_UP, "after {passed:?} not {count} sessions are {state:?}");
            runtime.timer.sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Has `psql`, a command that starts it, carry out `script` in a session that belongs to `link`. Then it waits for more.
fn start(mut psql: Command, link: &Link, url: &str, script: &str) -> Psql {
    psql.env("PGAPPNAME", name(link)).args(["-X", "-A", "-t", "-d", url]);
    psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut psql = Psql(psql.spawn().unwrap());
    writeln!(psql.0.stdin.as_mut().unwrap(), "{script}").unwrap();
    psql
}
