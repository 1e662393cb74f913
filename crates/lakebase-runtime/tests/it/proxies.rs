//! HTTP through proxies: the ways that lead through, and the ways in which proxies fail.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use lakebase_core::{Environment, Error, ErrorKind, Result, Runtime, Secret, Setting};
use lakebase_runtime::{Options, Proxies, ProxyError, ProxyProblem};
use lakebase_testkit::conformance::http_server::HttpServer;
use lakebase_testkit::conformance::proxy_server::{HttpProxyServer, ProxyBehaviour};
use lakebase_testkit::conformance::within;
use lakebase_testkit::{RefusingAddress, assert_error};

use crate::suites::Make;
use crate::tls_server::Authority;

/// What the user and password of these tests become: `me:canary 1`.
const BASIC: &str = "Basic bWU6Y2FuYXJ5IDE=";

/// A runtime with `options` and the proxies of these variables.
pub(crate) fn behind(make: Make, options: &Options, variables: &[(&str, &str)]) -> Runtime {
    let environment = Environment::from_pairs(variables.iter().copied());
    make(&options.clone().proxies(Proxies::from_environment(&environment))).unwrap()
}

fn by_program(url: &str) -> Proxies {
    Proxies::everywhere(&Setting::explicit("http_proxy", Secret::new(url))).unwrap()
}

pub(crate) async fn get(runtime: &Runtime, url: &str) -> Result<Bytes> {
    let request = http::Request::get(url).body(Bytes::new()).unwrap();
    let reply = within(&*runtime.timer, url, runtime.http.send(request)).await;
    reply.map(http::Response::into_body)
}

pub(crate) fn proxy_error(error: &Error) -> Option<&ProxyError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A server that only the proxy can reach, by a name that nobody else knows.
pub(crate) async fn tunnels(make: Make) {
    let authority = Authority::new();
    let origin = authority.serve("only.proxy.test");
    let behaviour = ProxyBehaviour::LeadOnly(origin, BASIC.to_owned());
    let proxy = HttpProxyServer::start(behaviour);
    let url = format!("http://me:canary%201@{}", proxy.host());
    let variables = [("HTTPS_PROXY", &*url), ("NO_PROXY", "other.test, only.proxy.test:444")];
    let options = Options::new().root_certificates_pem(&authority.pem).unwrap();
    let runtime = behind(make, &options, &variables);
    for _ in 0..3 {
        assert_eq!(get(&runtime, "https://only.proxy.test/").await.unwrap(), "secure");
    }
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "the connection is kept: {heads:?}");
    assert!(heads[0].starts_with("CONNECT only.proxy.test:443 HTTP/1.1\r\n"), "{heads:?}");
    assert!(heads[0].to_lowercase().contains("\r\nhost: only.proxy.test:443\r\n"), "{heads:?}");

    // The report names the way, which is another one for exempt hosts.
    let route = |uri: &'static str| runtime.http.route(&Uri::from_static(uri)).unwrap();
    let place = format!("http://{} from HTTPS_PROXY (environment variable)", proxy.host());
    assert_eq!(route("https://only.proxy.test/"), format!("through the proxy {place}"));
    assert_eq!(route("https://only.proxy.test:444/"), "directly");
    assert_eq!(route("http://169.254.169.254/"), "directly");

    // Certificates are verified for the name that was asked for.
    let error = get(&runtime, "https://wrong.proxy.test:8443/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{}", error.report());
    assert!(
        error.to_string().contains(&format!("wrong.proxy.test:8443 through the proxy {place}"))
    );

    // Wrong and missing passwords, which are not asked for twice.
    for (user, advice) in [("", "put them into its URL"), ("me:canary-2@", "does not accept")] {
        let before = proxy.heads().len();
        let url = format!("http://{user}{}", proxy.host());
        let runtime = behind(make, &options, &[("https_proxy", &*url)]);
        let error = get(&runtime, "https://only.proxy.test/").await.unwrap_err();
        let report = error.report();
        let place = format!("only.proxy.test through the proxy http://{}", proxy.host());
        let parts = [&place, "https_proxy (environment variable)", "407", advice];
        assert_error(&error, ErrorKind::Config, &parts);
        let problem = proxy_error(&error).map(ProxyError::problem);
        assert_eq!(problem, Some(ProxyProblem::AuthenticationRequired));
        assert!(!format!("{report} {error:?} {runtime:?}").contains("canary"), "{report}");
        assert_eq!(proxy.heads().len(), before + 1);
    }
}

/// A proxy that is spoken to inside TLS.
pub(crate) async fn tunnels_in_tls(make: Make) {
    let authority = Authority::new();
    let address = authority.serve_behind("localhost", "only.proxy.test");
    let url = format!("https://localhost:{}", address.port());
    let variables = [("ALL_PROXY", &*url)];
    let trusting = Options::new().root_certificates_pem(&authority.pem).unwrap();
    let runtime = behind(make, &trusting, &variables);
    for _ in 0..2 {
        assert_eq!(get(&runtime, "https://only.proxy.test/").await.unwrap(), "secure");
    }
    // Nobody vouches for the proxy.
    let runtime = behind(make, &Options::new(), &variables);
    let error = get(&runtime, "https://only.proxy.test/").await.unwrap_err();
    assert_error(&error, ErrorKind::Tls, &[&format!("through the proxy {url} from ALL_PROXY")]);
}

/// Plain HTTP to this machine goes through a proxy if the program says so, and else it does not.
pub(crate) async fn plain_http(make: Make) {
    let server = HttpServer::start();
    let url = format!("http://{}/echo", server.host());
    let to = server.host().parse().unwrap();
    let proxy = HttpProxyServer::start(ProxyBehaviour::LeadTo(to));
    let named = format!("http://{}", proxy.host());
    let runtime = behind(make, &Options::new(), &[("ALL_PROXY", &*named)]);
    get(&runtime, &url).await.unwrap();
    assert_eq!(proxy.heads().len(), 0);
    let runtime = make(&Options::new().proxies(by_program(&named))).unwrap();
    for _ in 0..2 {
        get(&runtime, &url).await.unwrap();
    }
    assert_eq!(proxy.heads().len(), 1);
    // The proxy's refusal is not taken for the server's.
    let proxy = HttpProxyServer::start(ProxyBehaviour::Status(407));
    let named = format!("http://{}", proxy.host());
    let runtime = make(&Options::new().proxies(by_program(&named))).unwrap();
    let error = get(&runtime, &url).await.unwrap_err();
    assert_error(&error, ErrorKind::Config, &["http_proxy (set by the program)"]);
}

/// What a proxy does, and what becomes of it.
type Row = (ProxyBehaviour, ErrorKind, ProxyProblem, &'static str);

fn failures() -> Vec<Row> {
    use ProxyBehaviour::{Close, EndlessHead, Garbage, Silence, Status, Talkative};
    use ProxyProblem::{AuthenticationRequired, Refused, Unreachable};
    let odd = "does not answer as an HTTP proxy does";
    vec![
        (Status(403), ErrorKind::PermissionDenied, Refused, "403 Forbidden: it does not allow"),
        (Status(407), ErrorKind::Config, AuthenticationRequired, "407 Proxy Authentication"),
        (Status(405), ErrorKind::Config, Refused, "405 Method Not Allowed: it may not be"),
        (Status(302), ErrorKind::Config, Refused, "302 Found: it may not be an HTTP proxy"),
        (Status(429), ErrorKind::Throttled, Refused, "429 Too Many Requests"),
        (
            Status(502),
            ErrorKind::Unavailable,
            Refused,
            "502 Bad Gateway: it cannot reach w.test:443",
        ),
        (Garbage, ErrorKind::Unavailable, Unreachable, odd),
        (EndlessHead, ErrorKind::Unavailable, Unreachable, odd),
        (Close, ErrorKind::Unavailable, Unreachable, odd),
        (Talkative, ErrorKind::Unavailable, Unreachable, "says more than"),
        (Silence, ErrorKind::Unavailable, Unreachable, "opened no way within 700ms"),
    ]
}

/// Each failure names the proxy and costs one connection.
pub(crate) async fn refusals(make: Make) {
    let options = Options::new().proxy_timeout(Duration::from_millis(700));
    for (behaviour, kind, problem, words) in failures() {
        let proxy = HttpProxyServer::start(behaviour.clone());
        let url = format!("http://me:canary@{}", proxy.host());
        let runtime = behind(make, &options, &[("HTTPS_PROXY", &*url)]);
        let error = get(&runtime, "https://w.test/x").await.unwrap_err();
        let report = error.report();
        let place = format!("could not reach w.test through the proxy http://{}", proxy.host());
        assert!(report.starts_with(&place), "{behaviour:?}: {report}");
        assert!(report.contains("HTTPS_PROXY (environment variable)"), "{behaviour:?}: {report}");
        assert!(!format!("{report} {error:?}").contains("canary"), "{behaviour:?}: {report}");
        assert_eq!(proxy.heads().len(), 1, "{behaviour:?}");
        // reqwest tells less.
        if !format!("{:?}", runtime.http).contains("Reqwest") {
            assert_eq!(error.kind(), kind, "{behaviour:?}: {report}");
            assert_eq!(proxy_error(&error).map(ProxyError::problem), Some(problem), "{report}");
            assert!(report.contains(words), "{behaviour:?}: {report}");
        }
    }
    let refusing = RefusingAddress::open().unwrap();
    let url = format!("http://{}", refusing.address());
    let runtime = behind(make, &options, &[("HTTPS_PROXY", &*url)]);
    let error = get(&runtime, "https://w.test/x").await.unwrap_err();
    let parts = [&*url, "the proxy cannot be reached", "onnection refused"];
    assert_error(&error, ErrorKind::Unavailable, &parts);

    // A value that cannot be used is an error of the requests that it is about.
    let runtime = behind(make, &options, &[("HTTPS_PROXY", "socks4://127.0.0.1:1")]);
    let error = get(&runtime, "https://w.test/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
    assert!(runtime.http.route(&Uri::from_static("https://w.test/x")).is_err());
}

/// surf knows no proxies: a request that would go through one is not sent some other way.
#[cfg(feature = "http-surf")]
pub(crate) async fn surf(make: Make) {
    let server = HttpServer::start();
    let to = server.host().parse().unwrap();
    let proxy = HttpProxyServer::start(ProxyBehaviour::LeadTo(to));
    let url = format!("http://{}", proxy.host());
    let plain = format!("http://{}/echo", server.host());
    let variables = [("HTTPS_PROXY", &*url), ("NO_PROXY", "direct.test")];
    let runtime = behind(make, &Options::new().surf(true), &variables);
    get(&runtime, &plain).await.unwrap();
    let direct = runtime.http.route(&Uri::from_static("https://direct.test/"));
    assert_eq!(direct.unwrap(), "directly");
    let program = make(&Options::new().surf(true).proxies(by_program(&url))).unwrap();
    for (runtime, target) in [(&runtime, "https://w.test/"), (&program, &plain)] {
        let error = get(runtime, target).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(&format!("through the proxy {url} from")), "{error}");
        assert!(runtime.http.route(&target.parse().unwrap()).is_err());
    }
    assert_eq!((server.requests(), proxy.heads().len()), (1, 0));
}
