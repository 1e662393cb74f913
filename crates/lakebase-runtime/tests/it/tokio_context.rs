//! tokio runtimes come, go and are absent; a handle stays.

use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use lakebase_core::{ErrorKind, Runtime};
use lakebase_testkit::conformance::http_server::HttpServer;

use crate::proxies;
use crate::suites::on_tokio;

async fn get(runtime: &Runtime, server: &HttpServer) -> lakebase_core::Result<Bytes> {
    proxies::get(runtime, &format!("http://{}/chunked", server.host())).await
}

#[test]
fn one_handle_serves_runtimes_that_follow_each_other() {
    let server = HttpServer::start();
    let runtime = lakebase_runtime::tokio();
    for _ in 0..12 {
        on_tokio(async {
            for _ in 0..2 {
                assert_eq!(get(&runtime, &server).await.unwrap(), "one two three");
            }
        });
    }
}

#[test]
fn a_runtime_that_stands_still_does_not_hold_up_another() {
    let server = HttpServer::start();
    let runtime = lakebase_runtime::tokio();
    let build = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (build(), build());
    for _ in 0..2 {
        // The pooled connections of either make no progress while the other runs.
        assert_eq!(first.block_on(get(&runtime, &server)).unwrap(), "one two three");
        assert_eq!(second.block_on(get(&runtime, &server)).unwrap(), "one two three");
    }
}

#[cfg(unix)]
#[test]
fn a_socket_outlives_its_runtime_and_is_served_by_the_next() {
    use lakebase_testkit::conformance::within;

    let runtime = lakebase_runtime::tokio();
    let socket = runtime.listen.open_unix().unwrap();
    let lakebase_core::effect::LocalAddress::Unix { directory, port } = socket.address() else {
        panic!("not a Unix socket: {socket:?}")
    };
    let path = lakebase_core::connect::socket_path(directory, *port);
    for _ in 0..2 {
        let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        on_tokio(async {
            within(&*runtime.timer, "a client", socket.accept()).await.unwrap();
        });
    }
}

#[test]
fn a_request_survives_only_as_long_as_its_runtime() {
    let server = HttpServer::start();
    let runtime = lakebase_runtime::tokio();
    on_tokio(async {
        let url = format!("http://{}/hang", server.host());
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        let http = std::sync::Arc::clone(&runtime.http);
        let started = server.requests();
        runtime.spawn.as_ref().unwrap().spawn(Box::pin(async move {
            drop(http.send(request).await);
        }));
        while server.requests() == started {
            runtime.timer.sleep(Duration::from_millis(2)).await;
        }
    });
    on_tokio(async { assert_eq!(get(&runtime, &server).await.unwrap(), "one two three") });
}

#[test]
fn without_a_runtime_errors_say_what_to_do() {
    let runtime = lakebase_runtime::tokio();
    let server = HttpServer::start();
    block_on(async {
        let dns = runtime.fallback_hosts.as_ref().unwrap();
        let errors = [
            get(&runtime, &server).await.unwrap_err(),
            runtime.hosts.resolve("localhost").await.unwrap_err(),
            dns.resolve("ep.example").await.unwrap_err(),
            runtime.dial.dial_unix("/nowhere".as_ref()).await.err().unwrap(),
            runtime.listen.open_tcp().unwrap().accept().await.err().unwrap(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            assert!(error.to_string().contains("#[tokio::main]"), "{error}");
        }
        assert_eq!(runtime.hosts.resolve("127.0.0.1").await.unwrap().len(), 1);
        assert!(runtime.process.output("hostname", &[]).await.unwrap().success);
        runtime.timer.sleep(Duration::from_millis(5)).await;
        let (ran, was_run) = futures::channel::oneshot::channel::<()>();
        runtime.spawn.as_ref().unwrap().spawn(Box::pin(async move {
            let _ = ran.send(());
        }));
        assert!(was_run.await.is_err(), "the task must be dropped");
    });
}

#[test]
fn a_timer_goes_by_tokios_own_time() {
    let paused = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = lakebase_runtime::tokio();
    let sleep = runtime.timer.sleep(Duration::from_millis(5));
    // Made outside, awaited inside.
    paused.block_on(sleep);
}

#[cfg(any(feature = "smol", feature = "async-std"))]
#[test]
fn auto_decides_at_every_call() {
    let server = HttpServer::start();
    let runtime = lakebase_runtime::auto(&lakebase_runtime::Options::new()).unwrap();
    for _ in 0..2 {
        assert_eq!(on_tokio(get(&runtime, &server)).unwrap(), "one two three");
        assert_eq!(block_on(get(&runtime, &server)).unwrap(), "one two three");
    }
    let in_tokio = || {
        let (tell, told) = futures::channel::oneshot::channel();
        runtime.spawn.as_ref().unwrap().spawn(Box::pin(async move {
            let _ = tell.send(tokio::runtime::Handle::try_current().is_ok());
        }));
        told
    };
    assert_eq!(on_tokio(async { in_tokio().await }), Ok(true));
    assert_eq!(block_on(in_tokio()), Ok(false));
}
