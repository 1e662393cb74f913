//! A workspace that is reached only through an HTTP proxy, and proxies that refuse, are down or talk nonsense.

use lakebase::{Builder, Error, ErrorKind};
use lakebase_testkit::RefusingAddress;
use lakebase_testkit::assert_error;
use lakebase_testkit::conformance::proxy_server::{HttpProxyServer, ProxyBehaviour};

use crate::support::{Setup, log_in, secure, shared};

on_each_runtime! { only_through_a_proxy as_the_program_says refusals unusable_settings }

/// What the user and password of these tests become: `me:canary 1`.
const BASIC: &str = "Basic bWU6Y2FuYXJ5IDE=";

/// surf knows no proxies, and says so.
const PROXIES: bool = !cfg!(feature = "http-surf");

/// reqwest tells less about a proxy that refuses.
const REQWEST: bool = cfg!(feature = "http-reqwest");

/// As the service principal of [`secure`], at an address where nobody but a proxy finds it.
fn out_of_reach() -> Setup {
    Setup::m2m(secure()).set("DATABRICKS_HOST", "https://localhost:1")
}

/// Where that workspace really is.
fn lead() -> std::net::SocketAddr {
    let host = &secure().description().host;
    let port = host.rsplit(':').next().unwrap().parse().unwrap();
    ([127, 0, 0, 1], port).into()
}

fn trusting(setup: &Setup) -> Builder {
    match PROXIES {
        true => setup.builder().root_certificates(secure().ca_pem().to_owned()),
        // surf cannot be given any, and does not come so far.
        false => setup.builder(),
    }
}

/// The error of surf for a request that would go through a proxy.
fn assert_surf(error: &Error) {
    assert_error(error, ErrorKind::Unsupported, &["surf knows no proxies"]);
}

async fn only_through_a_proxy() {
    let proxy = HttpProxyServer::start(ProxyBehaviour::LeadOnly(lead(), BASIC.to_owned()));
    let url = format!("http://me:canary%201@{}", proxy.host());
    for (name, value) in [("HTTPS_PROXY", &*url), ("all_proxy", &url)] {
        let setup = out_of_reach().set(name, value);
        let before = proxy.heads().len();
        let result = log_in(trusting(&setup)).await;
        if !PROXIES {
            assert_surf(&result.unwrap_err());
            continue;
        }
        result.unwrap_or_else(|error| panic!("{name}: {}", error.report()));
        let heads = proxy.heads();
        assert!((1..=3).contains(&(heads.len() - before)), "{heads:?}");
        assert!(heads.iter().all(|head| head.starts_with("CONNECT localhost:1 HTTP/1.1\r\n")));
        // Where the proxy is not used, nobody answers.
        let setup = setup.set("NO_PROXY", "localhost").set("PGCONNECT_TIMEOUT", 1);
        let error = log_in(trusting(&setup)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{}", error.report());
        assert_eq!(proxy.heads().len(), heads.len());
    }
}

async fn as_the_program_says() {
    let it = shared().description();
    let to = it.host.trim_start_matches("http://").parse().unwrap();
    let proxy = HttpProxyServer::start(ProxyBehaviour::LeadTo(to));
    let url = format!("http://{}", proxy.host());
    // A workspace of this machine is reached directly, whatever the environment says.
    let setup = Setup::m2m(shared()).set("HTTP_PROXY", &url).set("ALL_PROXY", &url);
    log_in(setup.builder()).await.unwrap();
    assert_eq!(proxy.heads().len(), 0);
    let result = log_in(setup.builder().http_proxy(url.as_str())).await;
    if PROXIES {
        result.unwrap();
        assert!(!proxy.heads().is_empty());
    } else {
        assert_surf(&result.unwrap_err());
    }
    // The program's word stands instead of the environment's, also if it is "none".
    let setup = Setup::m2m(secure()).set("HTTPS_PROXY", "http://127.0.0.1:1");
    if PROXIES {
        log_in(trusting(&setup).http_proxy("")).await.unwrap();
    }
}

async fn refusals() {
    use ProxyBehaviour::{Close, EndlessHead, Garbage, Silence, Status};
    if !PROXIES {
        return;
    }
    let refusing = RefusingAddress::open().unwrap();
    for (behaviour, kind, words, most) in [
        (Some(Status(407)), ErrorKind::Config, "407 Proxy Authentication", 1),
        (Some(Status(403)), ErrorKind::PermissionDenied, "403 Forbidden", 1),
        // What usually passes is tried again, as often as any other failure.
        (Some(Status(502)), ErrorKind::TimedOut, "502 Bad Gateway", 5),
        (Some(Garbage), ErrorKind::TimedOut, "as an HTTP proxy does", 5),
        (Some(EndlessHead), ErrorKind::TimedOut, "as an HTTP proxy does", 5),
        (Some(Close), ErrorKind::TimedOut, "as an HTTP proxy does", 5),
        (Some(Silence), ErrorKind::TimedOut, "the proxy opened no way within 1s", 2),
        (None, ErrorKind::TimedOut, "onnection refused", 0),
    ] {
        let proxy = behaviour.clone().map(HttpProxyServer::start);
        let place = proxy.as_ref().map_or(refusing.address().to_string(), HttpProxyServer::host);
        let setup = out_of_reach().set("HTTPS_PROXY", format!("http://me:canary-1@{place}"));
        let error = log_in(trusting(&setup.set("PGCONNECT_TIMEOUT", 2))).await.unwrap_err();
        let report = error.report();
        let way =
            format!("through the proxy http://{place} from HTTPS_PROXY (environment variable)");
        assert!(report.contains(&way), "{behaviour:?}: {report}");
        assert!(!format!("{report} {error:?}").contains("canary"), "{behaviour:?}: {report}");
        let count = proxy.map_or(0, |proxy| proxy.heads().len());
        // What reqwest says of a refusal may pass.
        assert!(count <= if REQWEST { 5 } else { most }, "{behaviour:?}: {count} connections");
        if !REQWEST {
            assert_eq!(error.kind(), kind, "{behaviour:?}: {report}");
            assert!(report.contains(words), "{behaviour:?}: {report}");
        }
    }
}

/// What is set and cannot be used is an error before anything is asked, if the workspace is meant.
async fn unusable_settings() {
    for (value, part) in [
        ("socks4://me:canary@127.0.0.1:1", "SOCKS"),
        ("http://me:canary/1@127.0.0.1:1", "percent-encoded"),
        ("ftp://me:canary@127.0.0.1:1", "not the URL of a proxy"),
    ] {
        let setup = out_of_reach().set("HTTPS_PROXY", value);
        let error = trusting(&setup).build().unwrap_err();
        assert!(error.report().starts_with("HTTPS_PROXY (environment variable): "), "{error}");
        assert!(error.report().contains(part), "{error}");
        assert!(!format!("{} {error:?}", error.report()).contains("canary"), "{error:?}");
        trusting(&setup.clone().set("no_proxy", "localhost")).build().unwrap();
        // Nothing is asked of a workspace.
        let url = "postgresql://u:p@localhost/d";
        Setup::empty().set("LAKEBASE_PG_URL", url).set("HTTPS_PROXY", value).build();
    }
    let builder = out_of_reach().builder().http_proxy("http://me:canary#1@127.0.0.1:1");
    let error = builder.build().unwrap_err();
    assert!(error.report().starts_with("http_proxy (set by the program): "), "{error}");
    assert!(!format!("{} {error:?}", error.report()).contains("canary"), "{error:?}");
}
