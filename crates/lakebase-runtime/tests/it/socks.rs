//! HTTP and Postgres' TCP through SOCKS proxies: the ways that lead through, and the ways in which proxies fail.

use std::time::Duration;

use lakebase_core::connect::{LoadBalanceHosts, TcpOptions};
use lakebase_core::effect::{DialTarget, Dialed, Route};
use lakebase_core::{ErrorKind, Result, Runtime};
use lakebase_runtime::{Options, ProxyError, ProxyProblem};
use lakebase_testkit::RefusingAddress;
use lakebase_testkit::conformance::socks_server::{SocksBehaviour, SocksServer};
use lakebase_testkit::conformance::within;

use crate::proxies::{behind, get, proxy_error};
use crate::suites::Make;
use crate::tls_server::Authority;

const LIMIT: Duration = Duration::from_millis(700);

fn is_reqwest(runtime: &Runtime) -> bool {
    format!("{:?}", runtime.http).contains("Reqwest")
}

async fn dial(runtime: &Runtime, host: &str, addresses: &[std::net::IpAddr]) -> Result<Dialed> {
    let target = DialTarget {
        host,
        addresses,
        port: 5432,
        tcp: TcpOptions::default(),
        load_balance_hosts: LoadBalanceHosts::Disable,
        timeout: LIMIT,
    };
    within(&*runtime.timer, host, runtime.dial.dial(target)).await
}

/// A workspace that only the proxy can reach, by a name that nobody else knows; TLS is verified for that name.
pub(crate) async fn http(make: Make) {
    let authority = Authority::new();
    let origin = authority.serve("only.proxy.test");
    let options = Options::new().root_certificates_pem(&authority.pem).unwrap();
    let proxy = SocksServer::start(SocksBehaviour::LeadOnly(origin, "me", "canary 1"));
    let url = format!("socks5h://me:canary%201@{}", proxy.host());
    for name in ["HTTPS_PROXY", "all_proxy"] {
        let before = proxy.requests().len();
        let runtime = behind(make, &options, &[(name, &*url)]);
        for _ in 0..2 {
            let reply = get(&runtime, "https://only.proxy.test/").await;
            assert_eq!(reply.unwrap_or_else(|error| panic!("{}", error.report())), "secure");
        }
        assert_eq!(proxy.requests()[before..], ["only.proxy.test:443"], "the connection is kept");
        let error = get(&runtime, "https://wrong.proxy.test/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{}", error.report());
        let route = runtime.http.route(&http::Uri::from_static("https://only.proxy.test/"));
        let place = format!("socks5h://{} from {name} (environment variable)", proxy.host());
        assert_eq!(route.unwrap(), format!("through the proxy {place}"));
        assert!(error.report().contains(&place), "{}", error.report());
    }

    // By `socks5`, names are looked up here, and the proxy gets addresses.
    let url = format!("socks5://me:canary%201@{}", proxy.host());
    let runtime = behind(make, &options, &[("HTTPS_PROXY", &*url)]);
    let before = proxy.requests().len();
    let error = get(&runtime, "https://localhost/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "it is not localhost: {}", error.report());
    let asked = &proxy.requests()[before..];
    assert!(asked.iter().all(|to| to == "127.0.0.1:443" || to == "::1:443"), "{asked:?}");
    let error = get(&runtime, "https://only.proxy.test/").await.unwrap_err();
    assert!(!is_reqwest(&runtime) || error.kind() == ErrorKind::Unavailable, "{error:?}");
    assert!(is_reqwest(&runtime) || error.report().contains("only.proxy.test"), "{error:?}");
    assert_eq!(proxy.requests().len(), before + asked.len(), "nobody knows the name here");
}

/// Postgres goes through `ALL_PROXY` alone, except to this machine and to hosts in `NO_PROXY`.
pub(crate) async fn postgres(make: Make) {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = SocksServer::start(SocksBehaviour::LeadTo(server.local_addr().unwrap()));
    let (names, addresses) =
        (format!("socks5h://{}", proxy.host()), format!("socks5://{}", proxy.host()));
    let variables = [("ALL_PROXY", &*names), ("NO_PROXY", "x.test:5432")];
    let runtime = behind(make, &Options::new(), &variables);
    assert_eq!(dial(&runtime, "db.test", &[]).await.unwrap().peer, None);
    let given = ["2001:db8::1".parse().unwrap()];
    let dialed = dial(&runtime, "db.test", &given).await.unwrap();
    assert_eq!(dialed.peer, Some((given[0], 5432).into()));
    dial(&runtime, "192.0.2.1", &[]).await.unwrap();
    assert_eq!(proxy.requests(), ["db.test:5432", "2001:db8::1:5432", "192.0.2.1:5432"]);
    let name = format!("{names} from ALL_PROXY (environment variable)");
    let route = Route::Proxy { name, looks_up: true };
    assert_eq!(runtime.dial.route("db.test", 5432).unwrap(), route);
    for (host, port) in [
        ("localhost", 5432),
        ("127.0.0.1", 1),
        ("[::1]", 1),
        ("a.x.test", 5432),
        ("169.254.1.1", 1),
    ] {
        assert_eq!(runtime.dial.route(host, port).unwrap(), Route::Direct, "{host}");
    }
    assert_ne!(runtime.dial.route("x.test", 5433).unwrap(), Route::Direct);

    // What is looked up here: an unknown host is not asked for.
    let runtime = behind(make, &Options::new(), &[("all_proxy", &*addresses)]);
    let error = dial(&runtime, "no-such-host.invalid", &[]).await.unwrap_err();
    assert!(error.report().contains("no-such-host.invalid"), "{}", error.report());
    assert_eq!(proxy.requests().len(), 3);
    assert!(matches!(
        runtime.dial.route("db.test", 1).unwrap(),
        Route::Proxy { looks_up: false, .. }
    ));

    // Other proxies are not about Postgres.
    for variables in [
        &[("HTTPS_PROXY", &*names)][..],
        &[("ALL_PROXY", "http://127.0.0.1:1")],
        &[("ALL_PROXY", "ftp://x")],
    ] {
        let runtime = behind(make, &Options::new(), variables);
        assert_eq!(runtime.dial.route("db.test", 5432).unwrap(), Route::Direct, "{variables:?}");
    }
    // A wish for SOCKS that cannot be fulfilled is not dropped.
    for value in ["socks4://127.0.0.1:1", "socks://127.0.0.1:1", "socks5://u:canary/1@127.0.0.1:1"]
    {
        let runtime = behind(make, &Options::new(), &[("ALL_PROXY", value)]);
        let error = dial(&runtime, "db.test", &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{value}");
        assert!(error.to_string().starts_with("ALL_PROXY (environment variable)"), "{error}");
        assert!(error.to_string().contains("socks5h://"), "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(runtime.dial.route("localhost", 5432).unwrap(), Route::Direct);
    }
}

/// Each failure names the proxy and the setting, within the time of the dial.
pub(crate) async fn refusals(make: Make) {
    use ErrorKind::{Config, PermissionDenied, Unavailable};
    use ProxyProblem::{AuthenticationRequired, Refused, Unreachable};
    use SocksBehaviour::{Answer, AnswerRequest, LeadOnly, Reply, Silence, SilenceWhenAsked};
    let lead = ([127, 0, 0, 1], 1).into();
    for (behaviour, kind, problem, words) in [
        (LeadOnly(lead, "u", "other"), Config, AuthenticationRequired, "does not accept the user"),
        (LeadOnly(lead, "u", "canary"), Unavailable, Unreachable, "as a SOCKS 5 proxy does"),
        (Reply(2), PermissionDenied, Refused, "its rules do not allow"),
        (Reply(5), Unavailable, Refused, "the proxy answered 5: connection refused"),
        (
            Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            Unavailable,
            Unreachable,
            "as a SOCKS 5 proxy does",
        ),
        (Answer(b"\x05"), Unavailable, Unreachable, "accepted TCP and did not answer within"),
        (AnswerRequest(b"\x05\x00"), Unavailable, Unreachable, "as a SOCKS 5 proxy does"),
        (Silence, Unavailable, Unreachable, "accepted TCP and did not answer within"),
        (SilenceWhenAsked, Unavailable, Unreachable, "was asked for the host and did not answer"),
    ] {
        let proxy = SocksServer::start(behaviour.clone());
        let url = format!("socks5h://u:canary@{}", proxy.host());
        let options = Options::new().proxy_timeout(LIMIT);
        let runtime = behind(make, &options, &[("ALL_PROXY", &*url)]);
        let way = format!(
            "through the proxy socks5h://{} from ALL_PROXY (environment variable)",
            proxy.host()
        );
        let by_name = dial(&runtime, "db.test", &[]).await.unwrap_err();
        let addresses = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let by_address = dial(&runtime, "db.test", &addresses).await.unwrap_err();
        let http = get(&runtime, "https://w.test/").await.unwrap_err();
        for (error, place) in [
            (&by_name, "could not connect to db.test:5432 "),
            (&by_address, "could not connect to db.test:5432 "),
            (&http, "could not reach w.test "),
        ] {
            let report = error.report();
            assert!(!format!("{report} {error:?}").contains("canary"), "{behaviour:?}: {error:?}");
            assert!(report.starts_with(&format!("{place}{way}")), "{behaviour:?}: {report}");
            // reqwest tells less, and takes a proxy that wants no password for a broken one.
            let by_reqwest = place.contains("w.test") && is_reqwest(&runtime);
            if by_reqwest && problem != AuthenticationRequired {
                continue;
            }
            assert_eq!(proxy_error(error).map(ProxyError::problem), Some(problem), "{report}");
            if by_reqwest {
                continue;
            }
            assert_eq!(error.kind(), kind, "{behaviour:?}: {report}");
            assert!(report.contains(words), "{behaviour:?}: {report}");
        }
        if problem == Refused {
            assert!(by_address.report().contains("192.0.2.2:5432: the proxy"), "{by_address:?}");
        }
    }
    let refusing = RefusingAddress::open().unwrap();
    let url = format!("socks5://{}", refusing.address());
    let runtime = behind(make, &Options::new(), &[("ALL_PROXY", &*url)]);
    let error = dial(&runtime, "192.0.2.1", &[]).await.unwrap_err();
    for part in [&*url, "the proxy cannot be reached", "onnection refused"] {
        assert!(error.report().contains(part), "missing {part:?} in {}", error.report());
    }
}
