//! A runtime made of fakes: time and tasks work, everything else answers that it was not expected.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use lakebase_core::effect::{ByteStream, DialTarget, Dialed, LocalSocket, ProcessOutput};
use lakebase_core::{
    Dial, Error, ErrorKind, HostResolver, HttpClient, Listen, Process, Result, Runtime, Spawn,
};

use crate::{FakeSpawn, FakeTime};

/// A runtime whose clocks and timer are `time`, and whose tasks `spawn` runs, if given.
///
/// HTTP, DNS, programs and sockets fail with [`Unsupported`](ErrorKind::Unsupported), naming what was
/// asked for. Replace what a test needs by a struct update.
#[must_use]
pub fn fake_runtime(time: &FakeTime, spawn: Option<Arc<dyn Spawn>>) -> Runtime {
    Runtime {
        clock: Arc::new(time.clone()),
        timer: Arc::new(time.clone()),
        spawn,
        dial: Arc::new(Unexpected),
        http: Arc::new(Unexpected),
        hosts: Arc::new(Unexpected),
        fallback_hosts: None,
        process: Arc::new(Unexpected),
        listen: Arc::new(Unexpected),
    }
}

/// New time, an executor whose tasks go by it, and a runtime of both.
#[must_use]
pub fn fake_executor() -> (FakeTime, FakeSpawn, Runtime) {
    let time = FakeTime::new();
    let spawn = FakeSpawn::new(&time);
    let runtime = fake_runtime(&time, Some(Arc::new(spawn.clone())));
    (time, spawn, runtime)
}

/// Effects that no test expects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unexpected;

fn unexpected<T>(what: String) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, format!("{what} was not expected by this test")))
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Dial for Unexpected {
    async fn dial(&self, target: DialTarget<'_>) -> Result<Dialed> {
        unexpected(format!("connecting to {}:{}", target.host, target.port))
    }

    async fn dial_unix(&self, path: &Path) -> Result<Box<dyn ByteStream>> {
        unexpected(format!("connecting to {path:?}"))
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl HttpClient for Unexpected {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        unexpected(format!("{} {}", request.method(), request.uri()))
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl HostResolver for Unexpected {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>> {
        unexpected(format!("looking up {host}"))
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Process for Unexpected {
    async fn output(&self, program: &str, _: &[&str]) -> Result<ProcessOutput> {
        unexpected(format!("running {program}"))
    }
}

impl Listen for Unexpected {
    fn open_unix(&self) -> Result<Arc<dyn LocalSocket>> {
        unexpected("a Unix socket".to_owned())
    }

    fn open_tcp(&self) -> Result<Arc<dyn LocalSocket>> {
        unexpected("a port".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn unexpected_effects_are_errors_that_say_what_was_asked() {
        let runtime = fake_runtime(&FakeTime::new(), None);
        let error = block_on(runtime.hosts.resolve("db.example")).unwrap_err();
        assert_eq!(error.to_string(), "looking up db.example was not expected by this test");
        let request = http::Request::get("https://w.example/api").body(Bytes::new()).unwrap();
        let error = block_on(runtime.http.send(request)).unwrap_err();
        assert!(error.to_string().starts_with("GET https://w.example/api"));
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
