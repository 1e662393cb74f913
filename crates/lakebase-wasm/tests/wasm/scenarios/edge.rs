//! The cache of the npm package as what cases are played on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use lakebase_core::refresh::{Demand, Status};
use lakebase_core::{BoxFuture, Clock, Error, ErrorKind, Secret, Spawn};
use lakebase_testkit::scenario::{Case, Got, Line, ScenarioError, Subject};
use lakebase_testkit::{FakeTime, Reply, TrackedSpawn};
use lakebase_wasm::{Credentials, Effects, Identity, Settings, WaitOptions, target};

use crate::service::Service;

pub(crate) const ENDPOINT: &str = "projects/shop/branches/production/endpoints/primary";

thread_local! {
    /// Runs what [`detach`] is given: that is a plain function, which cannot hold a spawner.
    static TASKS: RefCell<Option<TrackedSpawn>> = const { RefCell::new(None) };
}

fn detach(work: LocalBoxFuture<'static, ()>) {
    if let Some(spawn) = TASKS.with_borrow(Clone::clone) {
        spawn.spawn(work);
    }
}

/// Credentials as JavaScript's class makes them, with fake effects. `spawner` decides whether callers give `waitUntil`.
pub(crate) struct Edge {
    time: FakeTime,
    spawn: TrackedSpawn,
    service: Service,
    credentials: Credentials,
    wait_until: bool,
}

impl Edge {
    pub(crate) fn new(
        case: &Case,
        time: &FakeTime,
        spawn: &TrackedSpawn,
    ) -> Result<Self, ScenarioError> {
        if case.keep_fresh {
            return Err("there is no background task here".to_owned());
        }
        TASKS.set(Some(spawn.clone()));
        let replies = case.origin.iter().map(Line::reply).collect::<Result<_, _>>()?;
        let identity = Identity::ServicePrincipal {
            client_id: "7f0c3f0e-0b6c-4f5e-9d7b-0c1a2b3c4d5e".into(),
            client_secret: Secret::new("dose-scenario"),
        };
        let report = |error: Error| error.report();
        let host = "https://workspace.example".parse().map_err(report)?;
        let target = target(Some(ENDPOINT), None, None).map_err(report)?;
        let mut settings = Settings::new(host, identity, target);
        settings.pg_host = Some("ep-1.database.example".into());
        // As `Settings::timeout` says: a flight is taken over when two attempts and the pause between them took a second too long.
        let lost_after = settings.timeout * 2 + Duration::from_millis(1250);
        let service = Service::new(time, replies, lost_after);
        let effects = Effects {
            http: Arc::new(service.clone()),
            clock: Arc::new(time.clone()),
            timer: Arc::new(time.clone()),
            deadline: Arc::new(time.clone()),
            detach: Some(detach),
        };
        let credentials = Credentials::new(settings, effects).map_err(report)?;
        let (time, spawn, wait_until) = (time.clone(), spawn.clone(), case.spawner);
        Ok(Self { time, spawn, service, credentials, wait_until })
    }
}

impl Subject for Edge {
    /// Giving up is an aborted signal, as it is for JavaScript; the caller notices when it looks next.
    fn call(
        &self,
        demand: Demand,
        patience: Option<Duration>,
    ) -> Result<BoxFuture<'static, Got>, ScenarioError> {
        if demand != Demand::default() {
            return Err("callers cannot ask for more life here".to_owned());
        }
        let (credentials, spawn) = (self.credentials.clone(), self.spawn.clone());
        let (time, wait_until) = (self.time.clone(), self.wait_until);
        Ok(Box::pin(async move {
            let deadline = patience.map(|patience| time.monotonic() + patience);
            let gave_up = Rc::new(Cell::new(false));
            let ended = || {
                let over = deadline.is_some_and(|deadline| time.monotonic() >= deadline);
                over.then(|| {
                    gave_up.set(true);
                    Error::new(ErrorKind::TimedOut, "aborted")
                })
            };
            let background = |work: LocalBoxFuture<'static, ()>| spawn.spawn(work);
            let options = WaitOptions {
                ended: deadline.is_some().then_some(&ended as &dyn Fn() -> Option<Error>),
                background: wait_until.then_some(&background),
            };
            match credentials.get_with(options).await {
                Ok(login) => Got::Token {
                    text: login.token().expose().to_owned(),
                    accepted_until: login.expires_at(),
                },
                Err(_) if gave_up.get() => Got::GaveUp,
                Err(error) => Got::Error(error),
            }
        }))
    }

    fn refuse(&self, token: &str) -> Result<(), ScenarioError> {
        self.credentials.invalidate(token);
        Ok(())
    }

    fn status(&self) -> Status {
        self.credentials.status()
    }

    fn follow(&self, replies: Vec<Reply>) {
        self.service.follow(replies);
    }

    fn calls(&self) -> usize {
        self.service.mints()
    }

    fn forced(&self) -> usize {
        self.service.renewals()
    }

    fn overlap(&self) -> Result<(), ScenarioError> {
        self.service.overlap()
    }
}
