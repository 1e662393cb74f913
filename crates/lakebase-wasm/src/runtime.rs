//! The effects as core's [`Runtime`], for core's own cache.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use lakebase_core::effect::{ByteStream, DialTarget, Dialed, LocalSocket, ProcessOutput};
use lakebase_core::{
    BoxFuture, Dial, Error, ErrorKind, HostResolver, HttpClient, Listen, Process, Result, Runtime,
    Spawn,
};

use crate::Effects;

impl Effects {
    /// The clock, timer and tasks that [`CredentialCache`](lakebase_core::CredentialCache) needs.
    ///
    /// HTTP, host look-ups, programs and sockets return [`Unsupported`](ErrorKind::Unsupported). A
    /// [`Workspace`](crate::Workspace) sends its requests by [`Fetch`](crate::Fetch).
    ///
    /// For programs with one context: browsers, Deno, Node, a Durable Object. **Not for values that requests of a
    /// worker share**: a caller there must not wait on a future of another request, and core's cache does that.
    /// [`Credentials`](crate::Credentials) follows the same rules without it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lakebase_core::CredentialCache;
    /// # use lakebase_wasm::{Effects, Settings, Workspace};
    /// # fn cache(settings: Settings, effects: Effects) -> lakebase_core::Result<CredentialCache> {
    /// let request = settings.request("projects/shop/branches/production/endpoints/primary".parse()?);
    /// let runtime = effects.runtime();
    /// let workspace = Arc::new(Workspace::new(settings, effects)?);
    /// Ok(CredentialCache::new(workspace, request, &runtime))
    /// # }
    /// ```
    #[must_use]
    pub fn runtime(&self) -> Runtime {
        let spawn = self.detach.map(|detach| Arc::new(Detached(detach)) as Arc<dyn Spawn>);
        Runtime {
            clock: Arc::clone(&self.clock),
            timer: Arc::clone(&self.timer),
            spawn,
            dial: Arc::new(Absent),
            http: Arc::new(Absent),
            hosts: Arc::new(Absent),
            fallback_hosts: None,
            process: Arc::new(Absent),
            listen: Arc::new(Absent),
        }
    }
}

/// [`Effects::detach`].
#[derive(Debug)]
struct Detached(fn(LocalBoxFuture<'static, ()>));

impl Spawn for Detached {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        (self.0)(task);
    }
}

/// Effects that JavaScript does not offer.
#[derive(Debug)]
struct Absent;

fn absent<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, [what, " are not offered by lakebase-wasm"].concat()))
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl HttpClient for Absent {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        absent("requests of any form")
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Dial for Absent {
    async fn dial(&self, _: DialTarget<'_>) -> Result<Dialed> {
        absent("connections")
    }

    async fn dial_unix(&self, _: &Path) -> Result<Box<dyn ByteStream>> {
        absent("connections")
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl HostResolver for Absent {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>> {
        absent("host look-ups")
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Process for Absent {
    async fn output(&self, _: &str, _: &[&str]) -> Result<ProcessOutput> {
        absent("programs")
    }
}

impl Listen for Absent {
    fn open_unix(&self) -> Result<Arc<dyn LocalSocket>> {
        absent("sockets")
    }

    fn open_tcp(&self) -> Result<Arc<dyn LocalSocket>> {
        absent("sockets")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::executor::block_on;
    use lakebase_testkit::FakeTime;

    use super::*;
    use crate::{Fetch, Reply, Request};

    #[derive(Debug)]
    struct Unreachable;

    impl Fetch for Unreachable {
        fn fetch(&self, _: Request) -> BoxFuture<'static, Result<Reply>> {
            Box::pin(async { Err(Error::new(ErrorKind::Unavailable, "no server is there")) })
        }
    }

    fn effects(detach: Option<fn(LocalBoxFuture<'static, ()>)>) -> Effects {
        let time = Arc::new(FakeTime::new());
        let (timer, deadline) = (Arc::clone(&time), Arc::clone(&time));
        Effects { http: Arc::new(Unreachable), clock: time, timer, deadline, detach }
    }

    #[test]
    fn tasks_go_where_mints_go_that_nobody_waits_for() {
        static DETACHED: AtomicUsize = AtomicUsize::new(0);
        assert!(effects(None).runtime().spawn.is_none());
        let runtime = effects(Some(|work| {
            DETACHED.fetch_add(1, Ordering::SeqCst);
            block_on(work);
        }))
        .runtime();
        runtime.spawn.unwrap().spawn(Box::pin(async {
            DETACHED.fetch_add(10, Ordering::SeqCst);
        }));
        assert_eq!(DETACHED.load(Ordering::SeqCst), 11);
    }

    #[test]
    fn what_is_not_there_says_so() {
        let Runtime { http, hosts, process, listen, .. } = effects(None).runtime();
        let request = http::Request::get("https://w.example/").body(Bytes::new()).unwrap();
        let errors = [
            block_on(http.send(request)).unwrap_err(),
            block_on(hosts.resolve("db.example")).unwrap_err(),
            block_on(process.output("databricks", &[])).unwrap_err(),
            listen.open_unix().map(drop).unwrap_err(),
            listen.open_tcp().map(drop).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().ends_with("are not offered by lakebase-wasm"), "{error}");
        }
    }
}
