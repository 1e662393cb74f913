//! Which failed logins make the host be looked up again, and what is used while the lookup fails.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future;
use lakebase_core::connect::{Connector, ConnectorConfig, Sources};
use lakebase_core::*;
use lakebase_testkit::mocks::{MockCredentialSource, MockEndpointResolver, MockHostResolver};
use lakebase_testkit::{FakeSpawn, FakeTime, fake_executor};

use crate::{HOST, Server, config, driver, endpoint, seconds, sources};

/// The answers of the workspace and of direct DNS queries; both can be made to fail.
#[derive(Clone, Default)]
struct Lookup(Arc<Mutex<LookupState>>);

#[derive(Default)]
struct LookupState {
    workspace: Option<Error>,
    dns: Option<Error>,
    /// The number in the host's name, and how often each was asked.
    moved: u32,
    asked: (u32, u32),
}

impl Lookup {
    fn set(&self, change: impl FnOnce(&mut LookupState)) {
        change(&mut self.0.lock().unwrap());
    }

    /// How often the workspace and DNS were asked since the last time.
    fn asked(&self) -> (u32, u32) {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    /// A connector without configured addresses, which has logged in once, and what it goes by.
    fn warm(&self) -> (FakeTime, FakeSpawn, Connector) {
        let (time, spawn, runtime) = fake_executor();
        let mut endpoints = MockEndpointResolver::new();
        let lookup = self.clone();
        endpoints.expect_resolve().returning(move |_, _| {
            let mut lookup = lookup.0.lock().unwrap();
            lookup.asked.0 += 1;
            let host = Some(format!("host{}.example.com", lookup.moved).into());
            let hosts = EndpointHosts { host, ..EndpointHosts::default() };
            lookup.workspace.clone().map_or(Ok(Endpoint { hosts, ..endpoint(false) }), Err)
        });
        let mut system = MockHostResolver::new();
        system.expect_resolve().returning(|_| Err(Error::new(ErrorKind::NotFound, "unknown")));
        let mut direct = MockHostResolver::new();
        let lookup = self.clone();
        direct.expect_resolve().returning(move |_| {
            let mut lookup = lookup.0.lock().unwrap();
            lookup.asked.1 += 1;
            lookup.dns.clone().map_or(Ok(vec!["192.0.2.1".parse().unwrap()]), Err)
        });
        let runtime =
            Runtime { hosts: Arc::new(system), fallback_hosts: Some(Arc::new(direct)), ..runtime };
        let sources = Sources { endpoints: Some(Arc::new(endpoints)), ..sources(&time) };
        let config = ConnectorConfig { addresses: Vec::new(), ..config() };
        let connector = Connector::new(config, sources, &runtime).unwrap();
        let (driver, _) = driver(&time, &[]);
        spawn.run(async { connector.connect(&*driver).await }).unwrap();
        assert_eq!(self.asked(), (1, 1));
        (time, spawn, connector)
    }
}

fn down() -> Option<Error> {
    Some(Error::new(ErrorKind::Unavailable, "down"))
}

#[test]
fn a_failure_that_is_not_about_the_host_leaves_it_known() {
    let refused = [Server::Refuses, Server::Refuses].as_slice();
    for script in [
        refused,
        &[Server::Fails(ErrorKind::NotFound)],
        &[Server::Fails(ErrorKind::PermissionDenied)],
        &[Server::Wakes; 200],
    ] {
        let lookup = Lookup::default();
        let (time, spawn, connector) = lookup.warm();
        let (driver, _) = driver(&time, script);
        let error = spawn.run(async { connector.connect(&*driver).await }).unwrap_err();
        lookup.set(|it| (it.workspace, it.dns) = (down(), down()));
        let asked = lookup.asked();
        driver.script.lock().unwrap().clear();
        spawn.run(async { connector.connect(&*driver).await }).unwrap();
        assert_eq!((asked.0, lookup.asked().0), (0, 0), "{error}");
    }
}

#[test]
fn a_credential_that_cannot_be_fetched_leaves_the_host_known() {
    let lookup = Lookup::default();
    let (time, spawn, connector) = lookup.warm();
    for kind in [ErrorKind::TimedOut, ErrorKind::Unavailable, ErrorKind::Config] {
        let mut credentials = MockCredentialSource::new();
        credentials.expect_fetch().returning(move |_| Err(Error::new(kind, "down")));
        let users = sources(&time).users.unwrap();
        let other = connector.on_behalf_of(Arc::new(credentials), users).unwrap();
        let (driver, _) = driver(&time, &[]);
        let outcome = spawn.run(async { other.connect_within(seconds(20), &*driver).await });
        assert!(outcome.is_err());
        spawn.run(async { connector.login().await }).unwrap();
        assert_eq!(lookup.asked(), (0, 0), "{kind:?}");
    }
}

#[test]
fn a_host_that_may_be_wrong_is_looked_up_again_and_stays_known_while_that_fails() {
    for script in [
        [Server::Fails(ErrorKind::Disabled)].as_slice(),
        &[Server::Fails(ErrorKind::Tls)],
        &[Server::Misdirected],
        &[Server::Resets; 200],
        &[Server::Hangs; 9],
    ] {
        let lookup = Lookup::default();
        let (time, spawn, connector) = lookup.warm();
        let login = || spawn.run(async { connector.login().await });
        let (driver, _) = driver(&time, script);
        let error = spawn.run(async { connector.connect(&*driver).await }).unwrap_err();
        lookup.asked();
        // Both are down: the known host and addresses are used.
        lookup.set(|it| (it.workspace, it.dns) = (down(), down()));
        let params = login().expect("the host stays known").params;
        assert_eq!(&*params.host, "host0.example.com", "{error}");
        assert_eq!(params.addresses.len(), 1);
        let asked = lookup.asked();
        assert!(asked.0 >= 1 && asked.1 >= 1, "both were asked: {asked:?}");
        // Once they answer, the new host is used.
        time.advance(seconds(60));
        lookup.set(|it| (it.workspace, it.dns, it.moved) = (None, None, 1));
        assert_eq!(&*login().unwrap().params.host, "host1.example.com", "{error}");
        assert_eq!(lookup.asked(), (1, 1));
        // And it is fresh again.
        login().unwrap();
        assert_eq!(lookup.asked(), (0, 0));
    }
}

#[test]
fn a_late_failure_at_an_old_host_leaves_the_new_one_alone() {
    let lookup = Lookup::default();
    let (time, spawn, connector) = lookup.warm();
    let misdirected = async |script: &[Server]| {
        let (driver, _) = driver(&time, script);
        let report = connector.connect(&*driver).await.unwrap_err().report();
        assert!(report.contains("there is no endpoint at"), "{report}");
        assert!(report.contains("re-created"), "{report}");
    };
    let moved = async {
        lookup.set(|it| it.moved = 1);
        misdirected(&[Server::Misdirected]).await;
        let login = connector.login().await.unwrap();
        assert_eq!(&*login.params.host, "host1.example.com");
        assert_eq!(lookup.asked(), (1, 1));
    };
    // The late login starts first, with the old host.
    let late = misdirected(&[Server::MisdirectedLate]);
    spawn.run(future::join(late, moved));
    spawn.run(async { connector.login().await }).unwrap();
    assert_eq!(lookup.asked().0, 0, "the workspace is not asked again");
}

#[test]
fn dns_that_is_down_hides_no_address_that_is_known() {
    let lookup = Lookup::default();
    let (time, spawn, connector) = lookup.warm();
    let login = || spawn.run(async { connector.login().await });
    lookup.set(|it| it.dns = down());
    for (wait, known) in [(59, true), (1, true), (86_339, true), (1, false)] {
        time.advance(seconds(wait));
        assert_eq!(login().is_ok(), known, "{wait} s later");
    }
    // A permanent failure counts at once.
    lookup.set(|it| it.dns = None);
    login().unwrap();
    lookup.set(|it| it.dns = Some(Error::new(ErrorKind::NotFound, "the name does not exist")));
    time.advance(seconds(60));
    assert_eq!(login().unwrap_err().kind(), ErrorKind::NotFound);
}

/// A resolver that answers after a time.
#[derive(Debug)]
struct Slow {
    time: FakeTime,
    after: u64,
    answer: Result<Vec<IpAddr>>,
}

#[async_trait]
impl HostResolver for Slow {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>> {
        assert_eq!(host, HOST);
        self.time.sleep(seconds(self.after)).await;
        self.answer.clone()
    }
}

type Lookups<'a> = (u64, std::result::Result<&'a str, ErrorKind>);

/// When the system's resolver and direct DNS answer, and what; when the login has which address, or the error.
fn look_up(system: Lookups<'_>, direct: Lookups<'_>) -> (u64, Result<String>) {
    let (time, spawn, runtime) = fake_executor();
    let resolver = |(after, answer): Lookups<'_>| {
        let found = answer.map(|address| vec![address.parse().unwrap()]);
        let answer = found.map_err(|kind| Error::new(kind, format!("{kind:?}")));
        Arc::new(Slow { time: time.clone(), after, answer })
    };
    let runtime =
        Runtime { hosts: resolver(system), fallback_hosts: Some(resolver(direct)), ..runtime };
    let config = ConnectorConfig { addresses: Vec::new(), ..config() };
    let connector = Connector::new(config, sources(&time), &runtime).unwrap();
    let started = time.monotonic();
    let login = spawn.run(async { connector.login().await });
    let took = time.monotonic() - started;
    (took.as_secs(), login.map(|login| login.params.addresses[0].to_string()))
}

#[test]
fn direct_dns_serves_where_the_system_fails_or_is_silent() {
    const DIRECT: &str = "192.0.2.2";
    let (found, unknown, down) =
        (Ok("192.0.2.1"), Err(ErrorKind::NotFound), Err(ErrorKind::Unavailable));
    let table = [
        // What the system knows is not asked for again.
        ((0, found), (0, Ok(DIRECT)), 0, found),
        ((0, unknown), (0, Ok(DIRECT)), 0, Ok(DIRECT)),
        // A resolver that lost a packet repeats the query after seconds.
        ((5, found), (0, Ok(DIRECT)), 1, Ok(DIRECT)),
        ((5, found), (9, Ok(DIRECT)), 5, found),
        ((5, found), (0, unknown), 5, found),
        ((5, unknown), (9, Ok(DIRECT)), 10, Ok(DIRECT)),
    ];
    for (system, direct, time, expected) in table {
        let (took, address) = look_up(system, direct);
        let address = address.map_err(|error| error.kind());
        assert_eq!((took, address), (time, expected.map(str::to_owned)), "{system:?}, {direct:?}");
    }
    for (system, direct) in [((0, unknown), (0, unknown)), ((5, unknown), (0, unknown))] {
        let error = look_up(system, direct).1.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let report = error.report();
        assert!(report.contains(&format!("cannot look up host {HOST:?}: the system's resolver failed (NotFound), and so did a direct DNS query")), "{report}");
    }
    for (system, direct) in [(unknown, down), (down, unknown)] {
        for after in [0, 5] {
            assert!(look_up((after, system), (0, direct)).1.unwrap_err().is_transient());
        }
    }
}
