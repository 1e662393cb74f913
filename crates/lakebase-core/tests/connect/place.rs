//! What failed logins say about the place that they went to, and what is used while nobody can be asked.

use std::sync::{Arc, Mutex};

use lakebase_core::connect::{Cause, Connector, ConnectorConfig, Failure, Login, Sources};
use lakebase_core::*;
use lakebase_testkit::mocks::{MockEndpointResolver, MockHostResolver};
use lakebase_testkit::{FakeSpawn, FakeTime, fake_runtime};

use crate::{Server, config, driver, endpoint, seconds, sources};

/// What the workspace and a direct DNS query say next; both can be made to fail.
#[derive(Clone, Default)]
struct Place(Arc<Mutex<PlaceState>>);

#[derive(Default)]
struct PlaceState {
    workspace: Option<Error>,
    dns: Option<Error>,
    /// The host's number, and which one was asked for.
    moved: u32,
    asked: (u32, u32),
}

impl Place {
    fn set(&self, change: impl FnOnce(&mut PlaceState)) {
        change(&mut self.0.lock().unwrap());
    }

    /// How often the workspace and DNS were asked since the last time.
    fn asked(&self) -> (u32, u32) {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    /// A connector without addresses of its own, that has logged in once.
    fn warm(&self, time: &FakeTime, spawn: &FakeSpawn) -> Connector {
        let mut endpoints = MockEndpointResolver::new();
        let place = self.clone();
        endpoints.expect_resolve().returning(move |_, _| {
            let mut place = place.0.lock().unwrap();
            place.asked.0 += 1;
            let host = Some(format!("host{}.example.com", place.moved).into());
            let hosts = EndpointHosts { host, ..EndpointHosts::default() };
            place.workspace.clone().map_or(Ok(Endpoint { hosts, ..endpoint(false) }), Err)
        });
        let mut system = MockHostResolver::new();
        system.expect_resolve().returning(|_| Err(Error::new(ErrorKind::NotFound, "unknown")));
        let mut direct = MockHostResolver::new();
        let place = self.clone();
        direct.expect_resolve().returning(move |_| {
            let mut place = place.0.lock().unwrap();
            place.asked.1 += 1;
            place.dns.clone().map_or(Ok(vec!["192.0.2.1".parse().unwrap()]), Err)
        });
        let runtime = Runtime {
            hosts: Arc::new(system),
            fallback_hosts: Some(Arc::new(direct)),
            ..fake_runtime(time, Some(Arc::new(spawn.clone())))
        };
        let sources = Sources { endpoints: Some(Arc::new(endpoints)), ..sources(time) };
        let config = ConnectorConfig { addresses: Vec::new(), ..config() };
        let connector = Connector::new(config, sources, &runtime).unwrap();
        let (driver, _) = driver(time, &[]);
        spawn.run(async { connector.connect(&*driver).await }).unwrap();
        assert_eq!(self.asked(), (1, 1));
        connector
    }
}

fn down() -> Option<Error> {
    Some(Error::new(ErrorKind::Unavailable, "down"))
}

#[test]
fn a_failure_that_says_nothing_about_the_place_leaves_it_known() {
    let refused = [Server::Refuses, Server::Refuses].as_slice();
    for script in [
        refused,
        &[Server::Fails(ErrorKind::NotFound)],
        &[Server::Fails(ErrorKind::PermissionDenied)],
        &[Server::Wakes; 200],
    ] {
        let (time, place) = (FakeTime::new(), Place::default());
        let spawn = FakeSpawn::new(&time);
        let connector = place.warm(&time, &spawn);
        let (driver, _) = driver(&time, script);
        let error = spawn.run(async { connector.connect(&*driver).await }).unwrap_err();
        place.set(|it| (it.workspace, it.dns) = (down(), down()));
        let asked = place.asked();
        driver.script.lock().unwrap().clear();
        spawn.run(async { connector.connect(&*driver).await }).unwrap();
        assert_eq!((asked.0, place.asked().0), (0, 0), "{error}");
    }
}

#[test]
fn a_full_pool_and_a_workspace_that_is_down_leave_the_place_known() {
    let (time, place) = (FakeTime::new(), Place::default());
    let spawn = FakeSpawn::new(&time);
    let connector = place.warm(&time, &spawn);
    for kind in [ErrorKind::TimedOut, ErrorKind::Unavailable, ErrorKind::Config] {
        let attempt = |_| async {
            let login = connector.login().await.ok();
            let cause = Cause::Preparation(Error::new(kind, "all connections are in use"));
            Err(Failure { login, cause })
        };
        let outcome = spawn.run(async { connector.retry::<(), _>(seconds(20), attempt).await });
        assert!(outcome.is_err());
        spawn.run(async { connector.login().await }).unwrap();
        assert_eq!(place.asked(), (0, 0), "{kind:?}");
    }
}

#[test]
fn a_place_in_doubt_is_looked_up_again_and_stays_known_while_nobody_can_be_asked() {
    for script in [
        [Server::Fails(ErrorKind::Disabled)].as_slice(),
        &[Server::Fails(ErrorKind::Tls)],
        &[Server::Misdirected],
        &[Server::Resets; 200],
        &[Server::Hangs; 9],
    ] {
        let (time, place) = (FakeTime::new(), Place::default());
        let spawn = FakeSpawn::new(&time);
        let connector = place.warm(&time, &spawn);
        let login = || spawn.run(async { connector.login().await });
        let (driver, _) = driver(&time, script);
        let error = spawn.run(async { connector.connect(&*driver).await }).unwrap_err();
        place.asked();
        // Both are down: what was known is used.
        place.set(|it| (it.workspace, it.dns) = (down(), down()));
        let params = login().expect("the place stays known").params;
        assert_eq!(&*params.host, "host0.example.com", "{error}");
        assert_eq!(params.addresses.len(), 1);
        let asked = place.asked();
        assert!(asked.0 >= 1 && asked.1 >= 1, "both were asked: {asked:?}");
        // Once they are back, the news is used.
        time.advance(seconds(60));
        place.set(|it| (it.workspace, it.dns, it.moved) = (None, None, 1));
        assert_eq!(&*login().unwrap().params.host, "host1.example.com", "{error}");
        assert_eq!(place.asked(), (1, 1));
        // And it is fresh again.
        login().unwrap();
        assert_eq!(place.asked(), (0, 0));
    }
}

#[test]
fn a_late_failure_at_an_old_host_leaves_the_new_one_alone() {
    let (time, place) = (FakeTime::new(), Place::default());
    let spawn = FakeSpawn::new(&time);
    let connector = place.warm(&time, &spawn);
    let old = spawn.run(async { connector.login().await }).unwrap();
    let misdirected = |login: Login| {
        let login = Mutex::new(Some(login));
        let attempt = |_| {
            let login = login.lock().unwrap().take();
            let error = Error::new(ErrorKind::NotFound, "no such endpoint");
            let cause = Cause::Driver(ConnectFailure::UnknownEndpoint, Box::new(error));
            async { Err(Failure { login, cause }) }
        };
        let outcome = spawn.run(async { connector.retry::<(), _>(seconds(20), attempt).await });
        let report = outcome.unwrap_err().report();
        assert!(
            report.contains("there is no endpoint at") && report.contains("re-created"),
            "{report}"
        );
    };
    place.set(|it| it.moved = 1);
    misdirected(old.clone());
    assert_eq!(
        &*spawn.run(async { connector.login().await }).unwrap().params.host,
        "host1.example.com"
    );
    assert_eq!(place.asked(), (1, 1));
    misdirected(old);
    spawn.run(async { connector.login().await }).unwrap();
    assert_eq!(place.asked().0, 0, "the workspace is not asked again");
}

#[test]
fn dns_that_is_down_hides_no_address_that_is_known() {
    let (time, place) = (FakeTime::new(), Place::default());
    let spawn = FakeSpawn::new(&time);
    let connector = place.warm(&time, &spawn);
    let login = || spawn.run(async { connector.login().await });
    place.set(|it| it.dns = down());
    for (wait, known) in [(59, true), (1, true), (86_339, true), (1, false)] {
        time.advance(seconds(wait));
        assert_eq!(login().is_ok(), known, "{wait} s later");
    }
    // A definite answer counts at once.
    place.set(|it| it.dns = None);
    login().unwrap();
    place.set(|it| it.dns = Some(Error::new(ErrorKind::NotFound, "the name does not exist")));
    time.advance(seconds(60));
    assert_eq!(login().unwrap_err().kind(), ErrorKind::NotFound);
}
