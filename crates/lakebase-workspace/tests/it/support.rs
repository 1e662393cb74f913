//! Scripted effects: HTTP answered by a function, programs answered by a function, and a clock that a
//! sleep moves on at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use lakebase_core::effect::ProcessOutput;
use lakebase_core::{
    BoxFuture, Clock, Environment, Error, ErrorKind, HttpClient, Process, Result, Runtime, Timer,
    Timestamp,
};
use lakebase_testkit::fake_runtime;
use lakebase_workspace::{WorkspaceClient, WorkspaceConfig};

/// 2026-01-01T00:00:00Z, when every test starts.
pub(crate) const START: i64 = 1_767_225_600_000;

pub(crate) const HOST: &str = "https://w.example";

pub(crate) type Answer = Result<Response<Bytes>>;
type Handler = dyn Fn(&Seen) -> Option<Answer> + Send + Sync;

/// A request as a handler and a test see it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) number: usize,
    pub(crate) request: Request<Bytes>,
}

impl Seen {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.request.method(), self.request.uri())
    }

    pub(crate) fn path(&self) -> &str {
        self.request.uri().path()
    }

    pub(crate) fn body(&self) -> String {
        String::from_utf8(self.request.body().to_vec()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }
}

/// Answers through a function; `None` never answers.
pub(crate) struct FakeHttp {
    handler: Box<Handler>,
    seen: Mutex<Vec<Seen>>,
    /// That of the clients whose requests it answers.
    pub(crate) time: FakeTime,
}

impl fmt::Debug for FakeHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeHttp")
    }
}

impl FakeHttp {
    pub(crate) fn new(
        handler: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let time = FakeTime::default();
        Arc::new(Self { handler: Box::new(handler), seen: Mutex::default(), time })
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    /// How many requests went to a path with this end.
    pub(crate) fn count(&self, end: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path().ends_with(end)).count()
    }
}

#[async_trait]
impl HttpClient for FakeHttp {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        let seen = {
            let mut all = self.seen.lock().unwrap();
            let seen = Seen { number: all.len(), request };
            all.push(seen.clone());
            seen
        };
        match (self.handler)(&seen) {
            Some(answer) => answer,
            None => futures::future::pending().await,
        }
    }
}

/// Time that moves only when somebody sleeps or a test says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeTime(Arc<AtomicU64>);

impl FakeTime {
    pub(crate) fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for FakeTime {
    fn monotonic(&self) -> Duration {
        self.elapsed()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_millis(START).saturating_add(self.elapsed())
    }
}

impl Timer for FakeTime {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let time = self.clone();
        Box::pin(async move { time.advance(duration) })
    }
}

/// Success, standard output and standard error.
pub(crate) type Printed = (bool, String, &'static str);
pub(crate) type Calls = Arc<Mutex<Vec<String>>>;

type Programs = dyn Fn(&str) -> Option<Printed> + Send + Sync;

/// Programs that answer through a function of the command line; `None` are not on the path.
pub(crate) struct FakeProcess {
    answer: Box<Programs>,
    /// The command lines so far.
    pub(crate) calls: Calls,
}

impl FakeProcess {
    pub(crate) fn new(answer: impl Fn(&str) -> Option<Printed> + Send + Sync + 'static) -> Self {
        Self { answer: Box::new(answer), calls: Calls::default() }
    }
}

impl fmt::Debug for FakeProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeProcess")
    }
}

#[async_trait]
impl Process for FakeProcess {
    async fn output(&self, program: &str, arguments: &[&str]) -> Result<ProcessOutput> {
        let line = format!("{program} {}", arguments.join(" "));
        self.calls.lock().unwrap().push(line.clone());
        let (success, stdout, stderr) = (self.answer)(&line).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("{program} is not on the path"))
        })?;
        Ok(ProcessOutput { success, stdout: stdout.into(), stderr: stderr.to_owned() })
    }
}

/// Variables by their names and files by their paths, which a test may change later.
pub(crate) type Surroundings = Arc<Mutex<HashMap<String, Result<String, io::ErrorKind>>>>;

pub(crate) fn surroundings(entries: &[(&str, &str)]) -> Surroundings {
    let entries = entries.iter().map(|(name, text)| ((*name).to_owned(), Ok((*text).to_owned())));
    Arc::new(Mutex::new(entries.collect()))
}

/// What a program reads there.
pub(crate) fn environment(surroundings: &Surroundings) -> Environment {
    let (variables, files) = (Arc::clone(surroundings), Arc::clone(surroundings));
    Environment::new(
        move |name| variables.lock().unwrap().get(name)?.clone().ok(),
        move |path| {
            let found = files.lock().unwrap().get(path.to_str().unwrap()).cloned();
            found.unwrap_or(Err(io::ErrorKind::NotFound)).map_err(io::Error::from)
        },
    )
}

/// Without any program.
pub(crate) fn runtime(http: &Arc<FakeHttp>) -> Runtime {
    Runtime {
        clock: Arc::new(http.time.clone()),
        timer: Arc::new(http.time.clone()),
        http: Arc::clone(http) as Arc<dyn HttpClient>,
        process: Arc::new(FakeProcess::new(|_| None)),
        ..fake_runtime(&lakebase_testkit::FakeTime::new(), None)
    }
}

/// The settings of [`HOST`] with these further variables.
pub(crate) fn config(pairs: &[(&str, &str)]) -> Result<WorkspaceConfig> {
    let pairs = [("DATABRICKS_HOST", HOST)].into_iter().chain(pairs.iter().copied());
    WorkspaceConfig::from_environment(&Environment::from_pairs(pairs))
}

/// A client of [`HOST`] with these further variables.
pub(crate) fn client(pairs: &[(&str, &str)], http: &Arc<FakeHttp>) -> WorkspaceClient {
    client_on(&runtime(http), pairs)
}

/// The same on `runtime`.
pub(crate) fn client_on(runtime: &Runtime, pairs: &[(&str, &str)]) -> WorkspaceClient {
    WorkspaceClient::new(config(pairs).unwrap(), runtime)
}

/// The same, and what answers it.
pub(crate) fn scripted(
    pairs: &[(&str, &str)],
    handler: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static,
) -> (WorkspaceClient, Arc<FakeHttp>) {
    let http = FakeHttp::new(handler);
    (client(pairs, &http), http)
}

pub(crate) const PAT: &[(&str, &str)] = &[("DATABRICKS_TOKEN", "dapi-0123456789abcdef")];

pub(crate) const M2M: &[(&str, &str)] =
    &[("DATABRICKS_CLIENT_ID", "app-1"), ("DATABRICKS_CLIENT_SECRET", "dose-0123456789abcdef")];

pub(crate) fn reply(status: u16, body: impl Into<Bytes>) -> Option<Answer> {
    Some(Ok(Response::builder().status(status).body(body.into()).unwrap()))
}

/// Checks that it failed so, with exactly this report.
pub(crate) fn refused<T: fmt::Debug>(result: Result<T>, kind: ErrorKind, report: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), &*error.report()), (kind, report));
}

pub(crate) const CONFIG_PATH: &str = "/.well-known/databricks-config";
pub(crate) const METADATA_PATH: &str = "/oidc/.well-known/oauth-authorization-server";

/// The metadata of OAuth with this token end point.
pub(crate) fn metadata(token_endpoint: &str) -> Option<Answer> {
    reply(200, format!(r#"{{"token_endpoint":"{token_endpoint}"}}"#))
}

pub(crate) fn reply_with(
    status: u16,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Option<Answer> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    Some(Ok(builder.body(body.into()).unwrap()))
}

/// An OAuth token that lives an hour and carries the request's number.
pub(crate) fn token(seen: &Seen) -> Option<Answer> {
    let number = seen.number;
    let token =
        format!(r#"{{"access_token":"t{number}","token_type":"Bearer","expires_in":3600}}"#);
    reply(200, token)
}

/// The client's token.
pub(crate) fn fetch(client: &WorkspaceClient) -> Result<String> {
    run(client.access_token()).map(|held| held.token.expose().to_owned())
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}
