//! Host names that the system does not know: direct queries, the relay, and TLS that stays on the name.

use std::future::pending;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lakebase::core::connect::ConnectPolicy;
use lakebase::core::{Error, HostResolver, Runtime};
use lakebase::sqlx::Connection as _;
use lakebase::{ErrorKind, PoolOptions};
use lakebase_emulator::{Effect, Emulator, Fault, Operation, WrongCertificate};
use lakebase_runtime::{Options, auto};
use lakebase_testkit::assert_error;
use lakebase_testkit::mocks::MockHostResolver;

use crate::support::{SOON, Setup, endpoint, select_one, shared, until, within};

on_each_runtime! {
    system_first_then_directly silent_resolver every_form_of_answer next_server
    wrong_names_are_refused unknown_everywhere relay_is_private_and_goes_away
}

fn queries(emulator: &Emulator) -> u64 {
    emulator.state().get("dns_queries").unwrap().as_u64().unwrap()
}

async fn system_first_then_directly() {
    // Its queries are counted.
    let emulator = Emulator::builder().start().unwrap();
    let host = emulator.description().pg_host.clone();
    let mut system = MockHostResolver::new();
    system
        .expect_resolve()
        .withf(move |asked| asked == host)
        .times(1..)
        .returning(|_| Err(Error::new(ErrorKind::NotFound, "Name or service not known")));
    let setup = Setup::m2m(&emulator);
    let lakebase = setup.builder().host_resolver(Arc::new(system)).build().unwrap();
    lakebase.connect().await.unwrap().close().await.unwrap();
    assert!(queries(&emulator) >= 1);
    // Within the answer's time to live nobody is asked again.
    let asked = queries(&emulator);
    lakebase.connect().await.unwrap().close().await.unwrap();
    assert_eq!(queries(&emulator), asked);

    // Where the system knows the name, no direct query is made.
    let mut knows = MockHostResolver::new();
    let loopback = IpAddr::from([127, 0, 0, 1]);
    knows.expect_resolve().times(1..).returning(move |_| Ok(vec![loopback]));
    let lakebase = setup.builder().host_resolver(Arc::new(knows)).build().unwrap();
    let login = lakebase.connector().login().await.unwrap();
    assert_eq!(login.params.addresses, [loopback]);
    assert_eq!(queries(&emulator), asked);
}

/// Its queries get lost.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl HostResolver for Silent {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, Error> {
        pending().await
    }
}

async fn silent_resolver() {
    let lakebase = Setup::m2m(shared()).builder().host_resolver(Arc::new(Silent)).build().unwrap();
    within(&lakebase, SOON, lakebase.connect()).await.unwrap().close().await.unwrap();
}

async fn every_form_of_answer() {
    for effect in [Effect::Truncate, Effect::Cname, Effect::Ipv6] {
        let (name, host) = endpoint(shared());
        shared().inject(Fault::new(Operation::Dns, effect.clone()).only(host));
        let lakebase = Setup::m2m(shared()).endpoint(&name).build();
        let conn = lakebase.connect().await.unwrap_or_else(|e| panic!("{effect:?}: {e:?}"));
        conn.close().await.unwrap();
    }
    // One failure of the server is not the end.
    let (name, host) = endpoint(shared());
    shared().inject(Fault::new(Operation::Dns, Effect::ServFail).only(host).times(2));
    Setup::m2m(shared()).endpoint(&name).build().connect().await.unwrap().close().await.unwrap();
}

async fn next_server() {
    // Nothing listens on the first one.
    let servers = format!("127.0.0.1:1, {}", shared().description().dns);
    let lakebase = Setup::m2m(shared()).set("LAKEBASE_DNS", servers).build();
    lakebase.connect().await.unwrap().close().await.unwrap();
}

async fn wrong_names_are_refused() {
    // The name that was asked for is verified, not the address.
    let native = Setup::password(shared());
    let other = native.set("PGHOST", "db.example").set("PGHOSTADDR", "127.0.0.1");
    let error = other.refused().await;
    assert_error(&error, ErrorKind::Tls, &["check the host name"]);

    for wrong in [WrongCertificate::Name, WrongCertificate::Authority, WrongCertificate::Expired] {
        let (name, host) = endpoint(shared());
        shared().inject(Fault::new(Operation::Login, Effect::Certificate { wrong }).only(host));
        let error = Setup::m2m(shared()).endpoint(&name).refused().await;
        let report = error.report();
        assert_eq!(error.kind(), ErrorKind::Tls, "{wrong:?}: {report}");
        assert!(report.contains("invalid peer certificate"), "{wrong:?}: {report}");
        assert!(report.contains("PGSSLROOTCERT"), "{wrong:?}: {report}");
        assert_eq!(shared().counters(&name).unwrap().accepted, 0);
    }
}

async fn unknown_everywhere() {
    let (name, host) = endpoint(shared());
    shared().inject(Fault::new(Operation::Dns, Effect::NxDomain).only(&host));
    let error = Setup::m2m(shared()).endpoint(&name).refused().await;
    let parts = [
        host.as_str(),
        "the system's resolver failed",
        "so did a direct DNS query",
        "the name does not exist",
    ];
    assert_error(&error, ErrorKind::NotFound, &parts);
    // A server that fails may recover while somebody waits.
    let (name, host) = endpoint(shared());
    shared().inject(Fault::new(Operation::Dns, Effect::ServFail).only(host).times(8));
    let policy = ConnectPolicy { max_backoff: Duration::from_millis(50), ..Default::default() };
    let setup = Setup::m2m(shared()).endpoint(&name);
    let lakebase = setup.builder().connect_policy(policy).build().unwrap();
    lakebase.connect().await.unwrap().close().await.unwrap();
}

/// A runtime whose relays are in `parent`.
pub(crate) fn runtime_with_relays_in(parent: &Path) -> Runtime {
    let servers = lakebase_runtime::parse_servers(&shared().description().dns).unwrap();
    let options = Options::new().dns_servers(servers).socket_parent(parent);
    #[cfg(feature = "http-surf")]
    let options = options.surf(true);
    auto(&options).unwrap()
}

async fn relay_is_private_and_goes_away() {
    let parent = tempfile::tempdir().unwrap();
    let entries =
        || std::fs::read_dir(parent.path()).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    let runtime = runtime_with_relays_in(parent.path());
    let lakebase = Setup::m2m(shared()).builder().build_with(runtime).unwrap();
    let pool = lakebase.pool(PoolOptions::new().max_connections(2)).await.unwrap();
    let open = entries();
    assert_eq!(open.len(), 1, "a pool has one relay");
    assert_eq!(open[0].metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let conn = lakebase.connect().await.unwrap();
    assert_eq!(entries().len(), 1, "a connection that stands needs none");
    // A connection outlives the relay that made it.
    assert!(pool.close().await);
    drop(pool);
    until(&lakebase, "the relay's folder is gone", || entries().is_empty()).await;
    let mut conn = conn;
    assert_eq!(select_one(&mut conn).await, 1);
    conn.close().await.unwrap();
}
