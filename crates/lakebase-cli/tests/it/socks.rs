//! The command where a SOCKS proxy leads to Postgres: `query` and `proxy` go that way, and `doctor` tells it.

use lakebase_testkit::conformance::socks_server::{SocksBehaviour, SocksServer};

use crate::doctor::{assert_fault, detail, examine_with, step};
use crate::support::{Run, emulator};

#[test]
fn query_and_doctor_go_through_it() {
    let emulator = emulator();
    let service = emulator.description();
    let to = ([127, 0, 0, 1], service.pg_port).into();
    let host = format!("{}:{}", service.pg_host, service.pg_port);
    let url =
        |proxy: &SocksServer, scheme: &str| format!("{scheme}://me:canary%201@{}", proxy.host());
    let examine = |proxy: &SocksServer, scheme: &str| {
        examine_with(&emulator, &[("ALL_PROXY", &url(proxy, scheme))])
    };
    let proxy = SocksServer::start(SocksBehaviour::LeadOnly(to, "me", "canary 1"));
    let socks5h = url(&proxy, "socks5h");
    let variables = [("ALL_PROXY", &*socks5h), ("LAKEBASE_DNS", "127.0.0.1:1")];
    let printed = Run::set(&emulator, &variables, &["query", "select 41 + 1"]);
    assert!(printed.success().contains("42"));
    assert_eq!(proxy.requests(), [host.as_str()]);

    // A program beside a tunnel: psql does not know of the proxy.
    let psql = ["psql", "--", "-X", "-A", "-t", "-c", "select 41 + 1"];
    let printed = Run::set(&emulator, &variables[..1], &psql);
    assert_eq!(printed.success().trim(), "42");

    let before = proxy.requests().len();
    let found = examine(&proxy, "socks5h");
    assert_eq!(found["ok"], true, "{found}");
    assert!(!found.to_string().contains("canary"), "{found}");
    let name = format!("socks5h://{} from ALL_PROXY (environment variable)", proxy.host());
    for (at, said) in [
        ("host", format!("it is looked up by the proxy {name}")),
        ("tcp", format!("{host} accepts connections through the proxy {name}")),
    ] {
        assert_eq!(step(&found, at)["detail"], said.as_str(), "{found}");
    }
    assert_eq!(step(&found, "tls")["verdict"], "ok", "{found}");
    let requests = proxy.requests();
    assert!(requests.len() > before + 1 && requests.iter().all(|to| *to == host), "{requests:?}");
    let settings = found["settings"].as_array().unwrap();
    assert!(settings.iter().any(|setting| setting["name"] == "postgres_proxy"), "{found}");

    // By socks5, addresses are looked up here.
    let found = examine(&proxy, "socks5");
    assert_eq!(found["ok"], true, "{found}");
    let looked_up = detail(&found, "host");
    assert!(looked_up.contains("direct DNS: 127.0.0.1"), "{looked_up}");
    let tcp = detail(&found, "tcp");
    assert!(tcp.starts_with("127.0.0.1:") && tcp.contains("through the proxy"), "{tcp}");

    for (behaviour, fault, words) in [
        (
            SocksBehaviour::LeadOnly(to, "me", "x"),
            "proxy_authentication_required",
            "does not accept",
        ),
        (SocksBehaviour::Reply(2), "proxy_refused", "answered 2: its rules do not allow"),
        (
            SocksBehaviour::Answer(b"HTTP/1.1 400 No\r\n\r\n"),
            "proxy_unreachable",
            "as a SOCKS 5 proxy",
        ),
    ] {
        let proxy = SocksServer::start(behaviour);
        let found = examine(&proxy, "socks5h");
        let words = [&*format!("{host} through the proxy socks5h://"), words];
        assert_fault(&found, "tcp", fault, &words);
        assert!(step(&found, "tcp")["advice"].as_str().unwrap().contains("proxy"), "{found}");
        assert!(!found.to_string().contains("canary"), "{found}");
    }

    // A wish that cannot be fulfilled is not dropped.
    let found = examine_with(&emulator, &[("ALL_PROXY", "socks4://127.0.0.1:1")]);
    let words = ["ALL_PROXY (environment variable)", "version 5"];
    assert_fault(&found, "host", "configuration", &words);
}
