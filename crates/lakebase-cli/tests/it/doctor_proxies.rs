//! `lakebase doctor` where a proxy leads out: the way that requests take, and what the proxy does.

use lakebase_emulator::Emulator;
use lakebase_testkit::conformance::proxy_server::{HttpProxyServer, ProxyBehaviour};

use crate::doctor::{assert_fault, detail, examine_with, step};
use crate::support::Run;

#[test]
fn tells_the_way_that_requests_take_and_what_a_proxy_does() {
    let emulator = Emulator::builder().https(true).start().unwrap();
    let service = emulator.description();
    let port = service.host.rsplit(':').next().unwrap().parse().unwrap();
    let there = [("SSL_CERT_FILE", &*service.ca_cert), ("DATABRICKS_HOST", "https://localhost:1")];
    let examine = |proxy: &HttpProxyServer| {
        let url = format!("http://me:canary%201@{}", proxy.host());
        let proxy = [("HTTPS_PROXY", &*url), ("NO_PROXY", "10.0.0.0/8")];
        let found = examine_with(&emulator, &[&there[..], &proxy].concat());
        assert!(!found.to_string().contains("canary"), "{found}");
        found
    };
    let proxy = HttpProxyServer::start(ProxyBehaviour::LeadOnly(
        ([127, 0, 0, 1], port).into(),
        "Basic bWU6Y2FuYXJ5IDE=".to_owned(),
    ));
    let found = examine(&proxy);
    assert_eq!(found["ok"], true, "{found}");
    let way = format!("through the proxy http://{} from HTTPS_PROXY (environment", proxy.host());
    let detail = detail(&found, "workspace");
    assert!(
        detail.contains(&format!("https://localhost:1 answers; requests go {way}")),
        "{detail}"
    );
    let settings = found["settings"].as_array().unwrap();
    for (name, value) in
        [("https_proxy", format!("http://{}", proxy.host())), ("no_proxy", "10.0.0.0/8".to_owned())]
    {
        let shown = settings.iter().find(|setting| setting["name"] == name);
        let shown = shown.unwrap_or_else(|| panic!("no {name} in {found}"));
        assert_eq!(shown["value"], value.as_str());
        let origin = format!("{} (environment variable)", name.to_uppercase());
        assert_eq!(shown["origin"], origin.as_str());
    }

    // What doctor examines, other commands do.
    let url = format!("http://me:canary%201@{}", proxy.host());
    let variables = [&there[..], &[("HTTPS_PROXY", &url)]].concat();
    let printed = Run::set(&emulator, &variables, &["query", "select 1 as one"]).success();
    assert!(printed.contains("one") && printed.contains('1'), "{printed}");

    for (behaviour, fault, words) in [
        (ProxyBehaviour::Status(407), "proxy_authentication_required", "407"),
        (ProxyBehaviour::Status(403), "proxy_refused", "403 Forbidden"),
        (ProxyBehaviour::Garbage, "proxy_unreachable", "as an HTTP proxy does"),
    ] {
        let found = examine(&HttpProxyServer::start(behaviour));
        assert_fault(&found, "workspace", fault, &["localhost:1 through the proxy http://", words]);
        let advice = step(&found, "workspace")["advice"].as_str().unwrap();
        assert!(advice.contains("proxy"), "{advice}");
    }

    let found = examine_with(&emulator, &there[1..]);
    let words = ["localhost:1", "requests go directly"];
    assert_fault(&found, "workspace", "workspace_unreachable", &words);
    let advice = step(&found, "workspace")["advice"].as_str().unwrap();
    assert!(advice.contains("HTTPS_PROXY"), "{advice}");

    // A value that cannot be used is a finding about the configuration.
    let found = examine_with(&emulator, &[("HTTPS_PROXY", "http://me:can/ary@127.0.0.1:1")]);
    assert_fault(&found, "configuration", "configuration", &["HTTPS_PROXY (environment variable)"]);
    assert!(!found.to_string().contains("ary@"), "{found}");
}
