//! Which proxy, by table; and the same rules as hyper-util's matcher, where that has one.

use hyper_util::client::proxy::matcher::Matcher;
use lakebase_core::{Environment, Error, ErrorKind};
use proptest::prelude::*;

use super::*;

const PROXY: &str = "http://proxy.example:3128";

fn from(variables: &[(&str, &str)]) -> Proxies {
    Proxies::from_environment(&Environment::from_pairs(variables.iter().copied()))
}

fn ask(proxies: &Proxies, uri: &str) -> Result<Option<String>, Error> {
    let uri = uri.parse().unwrap_or_else(|_| panic!("{uri}"));
    proxies.proxy(&uri).map(|proxy| proxy.map(ToString::to_string))
}

#[test]
fn each_scheme_has_its_variable_and_all_has_the_rest() {
    let (a, b, c) = ("http://a.example", "https://b.example:8443", "c.example:3128");
    let https_b = Some("https://b.example:8443 from HTTPS_PROXY");
    let all_c = Some("http://c.example:3128 from all_proxy");
    for (variables, http, https) in [
        (&[][..], None, None),
        (&[("HTTP_PROXY", a)][..], Some("http://a.example:80 from HTTP_PROXY"), None),
        (&[("https_proxy", b)], None, Some("https://b.example:8443 from https_proxy")),
        (&[("HTTPS_PROXY", b), ("https_proxy", c)], None, https_b),
        (&[("all_proxy", c)], all_c, all_c),
        (
            &[("ALL_PROXY", c), ("HTTPS_PROXY", b), ("HTTP_PROXY", "")],
            Some("http://c.example:3128 from ALL_PROXY"),
            https_b,
        ),
        // What a CGI program finds under that name may come from the request.
        (&[("HTTP_PROXY", a), ("http_proxy", a), ("REQUEST_METHOD", "GET")], None, None),
        (&[("HTTPS_PROXY", b), ("REQUEST_METHOD", "GET")], None, https_b),
    ] {
        let proxies = from(variables);
        for (uri, expected) in [("http://w.example/", http), ("https://w.example/x", https)] {
            let expected = expected.map(|text| format!("{text} (environment variable)"));
            assert_eq!(ask(&proxies, uri).unwrap(), expected, "{variables:?} {uri}");
        }
        assert!(ask(&proxies, "ftp://w.example/").is_ok());
    }
}

#[test]
fn no_proxy_exempts_domains_addresses_networks_and_ports() {
    for (list, direct, proxied) in [
        ("", "", "w.example"),
        ("*", "w.example 10.0.0.1 [2001:db8::1]:8443", ""),
        ("corp.example", "corp.example A.Corp.Example corp.example.", "notcorp.example example"),
        (".corp.example", "corp.example a.b.corp.example", "xcorp.example"),
        ("*.corp.example", "a.corp.example", "corp.example.org"),
        ("a.example, b.example\tc.example ,,", "a.example b.example x.c.example", "d.example"),
        ("a.example:8443", "a.example:8443 x.a.example:8443", "a.example a.example:443"),
        ("a.example:443", "a.example a.example:443", "a.example:444"),
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.1 10.example"),
        ("10.0.0.0/8:8443", "10.1.2.3:8443", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3 [::ffff:10.1.2.3]", "10.1.2.4"),
        ("0.0.0.0/0", "10.1.2.3", "[::1] w.example"),
        ("fd00::/8", "[fd12::1]", "[fe00::1] 10.0.0.1"),
        ("::1", "[::1] [::1]:8443", "[::2]"),
        ("[::1]", "[::1]", "[::2]"),
        ("[::1]:8443", "[::1]:8443", "[::1]"),
        // Forms that are not known match nothing, and are no error.
        (
            "10.0.0.0/33, 192.168.*, <local>, a.example:x, fd00::/129, ., *., :443",
            "",
            "10.0.0.0 192.168.1.1 local a.example w.example fd00.example [fd00::]",
        ),
    ] {
        let proxies = from(&[("HTTPS_PROXY", PROXY), ("NO_PROXY", list)]);
        for (hosts, exempt) in [(direct, true), (proxied, false)] {
            for host in hosts.split_whitespace() {
                let found = ask(&proxies, &format!("https://{host}/")).unwrap();
                assert_eq!(found.is_none(), exempt, "{host} with {list:?}");
            }
        }
        let lower = from(&[("HTTPS_PROXY", PROXY), ("no_proxy", list)]);
        for host in direct.split_whitespace() {
            assert_eq!(ask(&lower, &format!("https://{host}/")).unwrap(), None, "{host}");
        }
    }
}

#[test]
fn this_machine_and_the_link_are_reached_directly() {
    let variables = from(&[("ALL_PROXY", PROXY)]);
    let program = Setting::explicit("http_proxy", Secret::new(PROXY));
    let program = Proxies::everywhere(&program).unwrap();
    for (uri, by_variables, by_program) in [
        ("http://169.254.169.254/metadata/identity", false, false),
        ("http://[fe80::1]/", false, false),
        ("http://[::ffff:169.254.169.254]/", false, false),
        ("https://169.254.1.2:8443/", false, false),
        ("http://Metadata.google.internal/computeMetadata/v1/", false, false),
        ("http://localhost:1234/", false, true),
        ("http://127.0.0.1/", false, true),
        ("http://[::1]:99/", false, true),
        ("https://localhost:1234/", true, true),
        ("https://w.example/", true, true),
        ("http://metadata.example/", true, true),
        ("http://170.254.169.254/", true, true),
    ] {
        for (proxies, expected) in [(&variables, by_variables), (&program, by_program)] {
            assert_eq!(ask(proxies, uri).unwrap().is_some(), expected, "{uri} {proxies:?}");
        }
    }
    let none = Proxies::everywhere(&Setting::explicit("http_proxy", Secret::new("")));
    assert_eq!(ask(&none.unwrap(), "https://w.example/").unwrap(), None);
}

#[test]
fn a_proxy_is_read_from_its_url() {
    for (text, url, authorization) in [
        ("http://p.example", "http://p.example:80", None),
        ("HTTP://p.example:3128/", "http://p.example:3128", None),
        ("https://p.example", "https://p.example:443", None),
        (" p.example:8080 ", "http://p.example:8080", None),
        ("http://[::1]:3128", "http://[::1]:3128", None),
        // "Aladdin:open sesame", RFC 7617
        (
            "http://Aladdin:open%20sesame@p.example",
            "http://p.example:80",
            Some("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ),
        ("user@p.example:1", "http://p.example:1", Some("dXNlcjo=")),
        ("http://u:p@ss@p.example:1", "http://p.example:1", Some("dTpwQHNz")),
        ("http://u:a:b@p.example:1", "http://p.example:1", Some("dTphOmI=")),
        ("http://u:%FF@p.example:1", "http://p.example:1", Some("dTr/")),
        ("http://@p.example:1", "http://p.example:1", None),
        ("socks5://p.example", "socks5://p.example:1080", None),
        (" SOCKS5H://u:p@p.example:9/", "socks5h://p.example:9", Some("dTpw")),
    ] {
        let proxy = Proxy::read(&Setting::explicit("http_proxy", Secret::new(text)));
        let proxy = proxy.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(proxy.url(), url, "{text}");
        assert_eq!(proxy.to_string(), format!("{url} from http_proxy (set by the program)"));
        #[cfg(feature = "_runtime")]
        {
            let value = proxy.authorization();
            assert!(value.as_ref().is_none_or(http::HeaderValue::is_sensitive));
            let expected = authorization.map(|text| format!("Basic {text}"));
            assert_eq!(value.as_ref().map(|value| value.to_str().unwrap()), expected.as_deref());
        }
        let _ = authorization;
    }
}

#[test]
fn what_cannot_be_read_is_an_error_of_the_requests_that_it_is_about() {
    for (text, problem) in [
        ("ftp://p.example", "not the URL of a proxy"),
        ("http://", "no valid host"),
        ("http://:3128", "no valid host"),
        ("http://p example", "no valid host"),
        ("http://p.example:0", "port is not 1 to 65535"),
        ("http://p.example:99999", "port is not 1 to 65535"),
        ("http://p.example:x", "port is not 1 to 65535"),
        ("http://p.example/proxy.pac", "more than a host and a port"),
        ("http://u:canary/x@p.example:3128", "special character of the user or password"),
        ("http://u:1/canary@p.example:3128", "special character of the user or password"),
        ("http://u:can?ary@p.example:3128", "special character of the user or password"),
        ("http://u:can#ary@p.example:3128", "special character of the user or password"),
    ] {
        let proxies = from(&[("HTTPS_PROXY", text)]);
        let error = ask(&proxies, "https://w.example/").expect_err(text);
        let message = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Config, "{message}");
        assert!(message.starts_with("HTTPS_PROXY (environment variable): "), "{message}");
        assert!(message.contains(problem) && message.contains("accepted: http://"), "{message}");
        assert!(!message.contains("canary") && !message.contains("p.example"), "{message}");
        assert_eq!(ask(&proxies, "http://w.example/").unwrap(), None);
        assert!(!format!("{proxies:?}").contains("p.example"), "{proxies:?}");
        let program = Setting::explicit("http_proxy", Secret::new(text));
        assert_eq!(Proxies::everywhere(&program).unwrap_err().kind(), ErrorKind::Config);
        let exempt = from(&[("HTTPS_PROXY", text), ("NO_PROXY", "w.example")]);
        assert_eq!(ask(&exempt, "https://w.example/").unwrap(), None);
    }
}

#[test]
fn socks_carries_http_and_the_one_for_all_carries_postgres_too() {
    let (socks, place) = ("SOCKS5h://u:canary@s.example", "socks5h://s.example:1080");
    let postgres = |proxies: &Proxies, host: &str| {
        proxies.postgres_proxy(host, 5432).map(|proxy| proxy.map(Proxy::url))
    };
    for (variables, https, to_postgres) in [
        (&[("ALL_PROXY", socks)][..], place, Some(place)),
        (&[("HTTPS_PROXY", socks)], place, None),
        (&[("all_proxy", socks), ("https_proxy", PROXY)], PROXY, Some(place)),
        (&[("ALL_PROXY", PROXY)], PROXY, None),
    ] {
        let proxies = from(variables);
        let found = ask(&proxies, "https://w.example/").unwrap().expect("a proxy");
        assert!(found.starts_with(https) && !found.contains("canary"), "{found}");
        assert_eq!(postgres(&proxies, "db.example").unwrap().as_deref(), to_postgres);
        assert_eq!(ask(&proxies, "http://127.0.0.1/").unwrap(), None);
        for host in ["localhost", "127.0.0.2", "[::1]", "169.254.1.1"] {
            assert_eq!(postgres(&proxies, host).unwrap(), None, "{host}");
        }
    }
    let exempt = from(&[("ALL_PROXY", socks), ("NO_PROXY", "db.example,10.0.0.0/8:5432")]);
    for host in ["db.example", "x.db.example", "10.1.1.1"] {
        assert_eq!(postgres(&exempt, host).unwrap(), None, "{host}");
    }
    assert!(exempt.postgres_proxy("10.1.1.1", 5433).unwrap().is_some());
    // The program's word about one stands beside the environment's about the other.
    let by = |text: &str| Setting::explicit("x_proxy", Secret::new(text));
    let http = exempt.clone().with_http(&by("")).unwrap();
    assert_eq!(ask(&http, "https://w.example/").unwrap(), None);
    assert_eq!(postgres(&http, "e.example").unwrap().as_deref(), Some(place));
    assert_eq!(postgres(&http, "db.example").unwrap(), None);
    let program = exempt.clone().with_postgres(&by("socks5://p.example:1")).unwrap();
    assert_eq!(postgres(&program, "db.example").unwrap().as_deref(), Some("socks5://p.example:1"));
    assert_eq!(postgres(&program, "localhost").unwrap(), None);
    assert_eq!(ask(&program, "https://db.example/").unwrap(), None);
    let none = exempt.with_postgres(&by("")).unwrap();
    assert_eq!(postgres(&none, "e.example").unwrap(), None);
    for text in
        ["http://p.example", "p.example:1080", "socks5://u:canary/x@p.example", "socks4://p"]
    {
        let error = Proxies::new().with_postgres(&by(text)).expect_err(text).to_string();
        assert!(error.starts_with("x_proxy (set by the program): "), "{error}");
        assert!(error.contains("socks5h://") && !error.contains("canary"), "{error}");
    }
}

#[test]
fn what_socks_does_not_speak_is_an_error_of_all_that_would_go_through_it() {
    for text in ["socks4a://u:canary@s.example", "SOCKS://s.example:1080", "socks6://s.example"] {
        let proxies = from(&[("ALL_PROXY", text)]);
        let http = ask(&proxies, "https://w.example/").expect_err(text);
        let postgres = proxies.postgres_proxy("db.example", 5432).expect_err(text);
        for error in [http, postgres] {
            assert_eq!(error.kind(), ErrorKind::Config);
            for part in ["ALL_PROXY (environment variable)", "only version 5", "socks5h://"] {
                assert!(error.to_string().contains(part), "{error}");
            }
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        assert!(proxies.postgres_proxy("localhost", 5432).unwrap().is_none());
    }
}

#[test]
fn settings_and_debug_show_no_user_and_no_password() {
    let proxies = from(&[
        ("ALL_PROXY", "http://canaryuser:canarypassword@p.example:1"),
        ("HTTP_PROXY", "http://u:canary/password@p.example:1"),
        ("no_proxy", "a.example,10.0.0.0/8"),
    ]);
    let shown: Vec<String> = proxies
        .settings()
        .into_iter()
        .map(|(name, Setting { value, origin })| format!("{name}={value} from {origin}"))
        .collect();
    let expected = [
        "https_proxy=http://p.example:1 from ALL_PROXY (environment variable)",
        "no_proxy=a.example,10.0.0.0/8 from no_proxy (environment variable)",
    ];
    assert_eq!(shown, expected);
    let proxy = proxies.proxy(&"https://w.example".parse().unwrap()).unwrap().unwrap();
    for text in [format!("{proxies:?} {proxies:#?}"), format!("{proxy:?} {proxy:#?} {proxy}")] {
        assert!(text.contains("http://p.example:1") && !text.contains("canary"), "{text}");
    }
}

/// Entries that both know: hyper-util's matcher has no ports, and its `*` leaves addresses out.
fn entry() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\.?(a|b|ab)(\\.(a|b)){0,2}",
        "10\\.[0-3]\\.0\\.[0-3](/(8|15|16|30|32))?",
        "2001:db8::[0-3](/(32|64|127))?",
    ]
}

proptest! {
    #[test]
    fn exempts_what_hyper_utils_matcher_exempts(
        entries in prop::collection::vec(entry(), 0..4),
        host in "(a|b|ab)(\\.(a|b|AB)){0,3}|10\\.[0-3]\\.0\\.[0-3]|\\[2001:db8::[0-3]\\]",
    ) {
        let list = entries.join(",");
        let uri: Uri = format!("https://{host}/").parse().unwrap();
        let theirs = Matcher::builder().https(PROXY).no(list.as_str()).build().intercept(&uri);
        let ours = from(&[("HTTPS_PROXY", PROXY), ("NO_PROXY", &list)]);
        prop_assert_eq!(ours.proxy(&uri).unwrap().is_some(), theirs.is_some());
    }

    #[test]
    fn reads_proxies_as_hyper_utils_matcher_does(
        text in "(http://|https://|)([a-z]{1,3}(:([a-z:]|%20|%40){0,4})?@)?[a-z]{1,5}(:[1-9][0-9]{0,3})?",
    ) {
        let uri: Uri = "https://w.example/".parse().unwrap();
        let theirs = Matcher::builder().https(text.as_str()).build().intercept(&uri).unwrap();
        let ours = Proxy::read(&Setting::explicit("http_proxy", Secret::new(text))).unwrap();
        let place = theirs.uri();
        let default = if place.scheme_str() == Some("https") { 443 } else { 80 };
        let port = place.port_u16().unwrap_or(default);
        let url = format!("{}://{}:{port}", place.scheme_str().unwrap(), place.host().unwrap());
        prop_assert_eq!(ours.url(), url);
        #[cfg(feature = "_runtime")]
        prop_assert_eq!(ours.authorization(), theirs.basic_auth().cloned());
    }

    #[test]
    fn no_text_panics_or_leaks(
        text in "(http|socks5|ftp|://|@|/|\\?|#|:|%|\\[|\\]|canary7|[a-z.]|\\PC){0,12}",
        list in "([a-z.*:/,0-9\\[\\]]|\\PC){0,20}",
        host in "[a-z.]{1,8}|10\\.0\\.0\\.1|\\[::1\\]",
    ) {
        let proxies = from(&[("HTTPS_PROXY", &text), ("NO_PROXY", &list)]);
        let Ok(uri) = format!("https://{host}/").parse() else { return Ok(()) };
        match proxies.proxy(&uri) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Config => {
                prop_assert!(!error.report().contains("canary7"), "{}", error.report());
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
    }
}
