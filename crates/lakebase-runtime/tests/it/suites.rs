//! One module of tests per way to make and drive a runtime.

use std::sync::Arc;
use std::time::Duration;

use lakebase_core::{HostResolver, Runtime};
use lakebase_runtime::Options;

pub(crate) type Make = fn(&Options) -> lakebase_core::Result<Runtime>;

pub(crate) fn dns_over(make: Make, servers: Vec<std::net::SocketAddr>) -> Arc<dyn HostResolver> {
    let options = Options::new().dns_servers(servers).dns_timeout(Duration::from_millis(700));
    make(&options).unwrap().fallback_hosts.unwrap()
}

macro_rules! suites {
    ($name:ident, $make:expr, $run:expr) => {
        mod $name {
            use super::Make;
            use lakebase_runtime::Options;
            use lakebase_testkit::conformance;

            const MAKE: Make = $make;

            #[test]
            fn clock_and_timer() {
                let runtime = MAKE(&Options::new()).unwrap();
                conformance::clock::clock(&*runtime.clock);
                $run(async { conformance::clock::timer(&*runtime.timer, &*runtime.clock).await });
            }

            #[test]
            fn spawn() {
                let runtime = MAKE(&Options::new()).unwrap();
                let spawn = runtime.spawn.unwrap();
                $run(conformance::task::spawn(&*spawn, &*runtime.timer));
            }

            #[test]
            fn http() {
                let runtime = MAKE(&Options::new()).unwrap();
                let limits = conformance::http::Limits::default();
                $run(async {
                    conformance::http::http(&*runtime.http, &*runtime.timer, limits).await
                });
            }

            #[cfg(feature = "http-surf")]
            #[test]
            fn http_by_surf() {
                let runtime = MAKE(&Options::new().surf(true)).unwrap();
                assert!(format!("{:?}", runtime.http).contains("Surf"), "{:?}", runtime.http);
                let limits = conformance::http::Limits { one_shot: true, needs_length: true };
                $run(async {
                    conformance::http::http(&*runtime.http, &*runtime.timer, limits).await
                });
            }

            #[test]
            fn https() {
                $run(crate::tls::https(MAKE));
            }

            #[test]
            fn http_through_proxies() {
                $run(crate::proxies::tunnels(MAKE));
                $run(crate::proxies::tunnels_in_tls(MAKE));
                $run(crate::proxies::plain_http(MAKE));
            }

            #[test]
            fn through_socks() {
                $run(crate::socks::http(MAKE));
                $run(crate::socks::postgres(MAKE));
            }

            #[test]
            fn socks_proxies_that_fail() {
                $run(crate::socks::refusals(MAKE));
            }

            #[cfg(feature = "http-surf")]
            #[test]
            fn surf_and_proxies() {
                $run(crate::proxies::surf(MAKE));
            }

            #[test]
            fn proxies_that_fail() {
                $run(crate::proxies::refusals(MAKE));
            }

            #[test]
            fn system_hosts() {
                let runtime = MAKE(&Options::new()).unwrap();
                let timer = &*runtime.timer;
                $run(async { conformance::hosts::system_hosts(&*runtime.hosts, timer).await });
            }

            #[test]
            fn dns() {
                let runtime = MAKE(&Options::new()).unwrap();
                let make = |servers| super::dns_over(MAKE, servers);
                $run(async { conformance::dns::dns(&make, &*runtime.timer).await });
            }

            #[test]
            fn dns_servers_come_from_resolv_conf() {
                $run(super::reads_resolv_conf(MAKE));
            }

            #[cfg(target_os = "linux")]
            #[test]
            fn dial() {
                let runtime = MAKE(&Options::new()).unwrap();
                let (timer, clock) = (&*runtime.timer, &*runtime.clock);
                $run(async { conformance::dial::dial(&*runtime.dial, timer, clock).await });
            }

            #[test]
            fn listen() {
                let runtime = MAKE(&Options::new()).unwrap();
                $run(async {
                    conformance::listen::listen(&*runtime.listen, &*runtime.timer).await
                });
            }

            #[cfg(unix)]
            #[test]
            fn unix_sockets_need_a_short_path() {
                super::refuses_long_paths(MAKE);
            }

            #[cfg(unix)]
            #[test]
            fn process() {
                let runtime = MAKE(&Options::new()).unwrap();
                let scratch = tempfile::tempdir().unwrap();
                let (process, timer) = (&*runtime.process, &*runtime.timer);
                $run(async {
                    conformance::process::process(process, timer).await;
                    conformance::process::process_ends_when_dropped(process, timer, scratch.path())
                        .await;
                });
            }
        }
    };
}

async fn reads_resolv_conf(make: Make) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("resolv.conf");
    let resolver = make(&Options::new().resolv_conf(&file)).unwrap().fallback_hosts.unwrap();
    for text in [None, Some("search corp.example\n")] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let error = resolver.resolve("ep.example").await.unwrap_err();
        assert_eq!(error.kind(), lakebase_core::ErrorKind::Unavailable);
        for part in ["ep.example", "resolv.conf", "LAKEBASE_DNS"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}

#[cfg(unix)]
fn refuses_long_paths(make: Make) {
    let scratch = tempfile::tempdir().unwrap();
    let deep = scratch.path().join("x".repeat(100));
    std::fs::create_dir(&deep).unwrap();
    for (parent, part) in [(&deep, "bytes"), (&deep.join("missing"), "could not make a folder")] {
        let runtime = make(&Options::new().socket_parent(parent)).unwrap();
        let error = runtime.listen.open_unix().unwrap_err();
        assert_eq!(error.kind(), lakebase_core::ErrorKind::Config);
        for part in ["socket_parent", part] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 0, "something is left behind");
}

#[cfg(feature = "tokio")]
pub(crate) fn on_tokio<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[cfg(feature = "http-reqwest")]
fn with_reqwest(options: &Options) -> lakebase_core::Result<Runtime> {
    let runtime = lakebase_runtime::tokio_with(&options.clone().reqwest(true))?;
    assert!(
        format!("{:?}", runtime.http).contains("Reqwest")
            || format!("{options:?}").contains("surf: true")
    );
    Ok(runtime)
}

#[cfg(feature = "tokio")]
suites!(tokio_alone, lakebase_runtime::tokio_with, super::on_tokio);
#[cfg(feature = "http-reqwest")]
suites!(tokio_reqwest, super::with_reqwest, super::on_tokio);
// Neither needs its own executor around the caller.
#[cfg(feature = "smol")]
suites!(smol, lakebase_runtime::smol_with, futures::executor::block_on);
#[cfg(feature = "async-std")]
suites!(async_std, lakebase_runtime::async_std_with, futures::executor::block_on);
#[cfg(feature = "tokio")]
suites!(auto_in_tokio, lakebase_runtime::auto, super::on_tokio);
#[cfg(any(feature = "smol", feature = "async-std"))]
suites!(auto_elsewhere, lakebase_runtime::auto, futures::executor::block_on);
