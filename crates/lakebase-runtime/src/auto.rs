//! The choice between several runtimes in one program.

use lakebase_core::{Result, Runtime};

use crate::Options;

/// Effects on the runtime that is compiled in; with several, on the one that is there at each call.
///
/// A running tokio context wins (feature `tokio`), then comes `smol`, then `async-std`; the last two work on
/// any thread and need no context. With only `tokio`, this is `tokio_with`.
///
/// # Errors
///
/// Those of the runtimes' own constructors.
pub fn auto(options: &Options) -> Result<Runtime> {
    #[cfg(all(feature = "tokio", feature = "_async-io"))]
    return several::auto(options);
    #[cfg(all(feature = "tokio", not(feature = "_async-io")))]
    return crate::tokio_with(options);
    #[cfg(all(feature = "_async-io", not(feature = "tokio")))]
    return without_tokio(options);
}

#[cfg(feature = "_async-io")]
fn without_tokio(options: &Options) -> Result<Runtime> {
    #[cfg(feature = "smol")]
    return crate::smol_with(options);
    #[cfg(not(feature = "smol"))]
    return crate::async_std_with(options);
}

#[cfg(all(feature = "tokio", feature = "_async-io"))]
fn net_without_tokio() -> crate::async_io::AsyncIoNet {
    #[cfg(feature = "smol")]
    return crate::smol::net();
    #[cfg(not(feature = "smol"))]
    return crate::async_std::net();
}

#[cfg(all(feature = "tokio", feature = "_async-io"))]
mod several {
    //! One struct that is every effect and hands each call on.

    use std::net::IpAddr;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use bytes::Bytes;
    use lakebase_core::effect::{
        ByteStream, DialTarget, Dialed, LocalAddress, LocalSocket, ProcessOutput, Route,
    };
    use lakebase_core::{
        BoxFuture, Dial, HostResolver, HttpClient, Listen, Process, Result, Runtime, Spawn, Timer,
    };

    use crate::async_io::AsyncIoNet;
    use crate::listen::{Bound, Served};
    use crate::tokio::TokioNet;
    use crate::{Options, SystemClock};

    pub(super) fn auto(options: &Options) -> Result<Runtime> {
        let choice = Choice {
            tokio: crate::tokio_with(options)?,
            otherwise: super::without_tokio(options)?,
            socket_parent: options.socket_parent.clone(),
        };
        let choice = Arc::new(choice);
        Ok(Runtime {
            clock: Arc::new(SystemClock),
            timer: Arc::new(Shared(Arc::clone(&choice))),
            spawn: Some(Arc::new(Shared(Arc::clone(&choice)))),
            dial: Arc::new(Shared(Arc::clone(&choice))),
            http: Arc::new(Shared(Arc::clone(&choice))),
            hosts: Arc::new(Shared(Arc::clone(&choice))),
            fallback_hosts: Some(Arc::new(Fallback(Arc::clone(&choice)))),
            process: Arc::new(Shared(Arc::clone(&choice))),
            listen: Arc::new(Shared(choice)),
        })
    }

    #[derive(Debug)]
    struct Choice {
        tokio: Runtime,
        otherwise: Runtime,
        socket_parent: Option<PathBuf>,
    }

    impl Choice {
        fn now(&self) -> &Runtime {
            if crate::tokio::is_current() { &self.tokio } else { &self.otherwise }
        }
    }

    #[derive(Debug)]
    struct Shared(Arc<Choice>);

    #[derive(Debug)]
    struct Fallback(Arc<Choice>);

    impl Timer for Shared {
        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            // The runtime that polls first decides.
            let choice = Arc::clone(&self.0);
            Box::pin(async move { choice.now().timer.sleep(duration).await })
        }
    }

    impl Spawn for Shared {
        fn spawn(&self, task: BoxFuture<'static, ()>) {
            if let Some(spawn) = &self.0.now().spawn {
                spawn.spawn(task);
            }
        }
    }

    #[async_trait]
    impl Dial for Shared {
        async fn dial(&self, target: DialTarget<'_>) -> Result<Dialed> {
            self.0.now().dial.dial(target).await
        }

        async fn dial_unix(&self, path: &Path) -> Result<Box<dyn ByteStream>> {
            self.0.now().dial.dial_unix(path).await
        }

        fn route(&self, host: &str, port: u16) -> Result<Route> {
            self.0.now().dial.route(host, port)
        }
    }

    #[async_trait]
    impl HttpClient for Shared {
        async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
            self.0.now().http.send(request).await
        }

        fn route(&self, uri: &http::Uri) -> Result<String> {
            self.0.now().http.route(uri)
        }
    }

    #[async_trait]
    impl HostResolver for Shared {
        async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>> {
            self.0.now().hosts.resolve(host).await
        }
    }

    #[async_trait]
    impl HostResolver for Fallback {
        async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>> {
            let runtime = self.0.now();
            runtime.fallback_hosts.as_ref().unwrap_or(&runtime.hosts).resolve(host).await
        }
    }

    #[async_trait]
    impl Process for Shared {
        async fn output(&self, program: &str, arguments: &[&str]) -> Result<ProcessOutput> {
            self.0.now().process.output(program, arguments).await
        }
    }

    impl Listen for Shared {
        fn open_unix(&self) -> Result<Arc<dyn LocalSocket>> {
            Ok(Arc::new(AnySocket::new(Bound::unix(self.0.socket_parent.as_deref())?)))
        }

        fn open_tcp(&self) -> Result<Arc<dyn LocalSocket>> {
            Ok(Arc::new(AnySocket::new(Bound::tcp()?)))
        }
    }

    /// A socket that each call to `accept` serves on the runtime that is there.
    #[derive(Debug)]
    struct AnySocket {
        tokio: Served<TokioNet>,
        otherwise: Served<AsyncIoNet>,
    }

    impl AnySocket {
        fn new(bound: Arc<Bound>) -> Self {
            let tokio = Served::new(TokioNet, Arc::clone(&bound));
            Self { tokio, otherwise: Served::new(super::net_without_tokio(), bound) }
        }
    }

    #[async_trait]
    impl LocalSocket for AnySocket {
        fn address(&self) -> &LocalAddress {
            self.tokio.address()
        }

        async fn accept(&self) -> Result<Box<dyn ByteStream>> {
            match crate::tokio::is_current() {
                true => self.tokio.accept().await,
                false => self.otherwise.accept().await,
            }
        }
    }
}
