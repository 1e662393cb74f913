//! The contract of [`HostResolver`], for one that asks the operating system.

use std::net::IpAddr;

use lakebase_core::{ErrorKind, HostResolver, Timer};

use super::within;

/// Addresses answer themselves, `localhost` is this machine, and what does not exist is an error that names it.
pub async fn system_hosts(hosts: &dyn HostResolver, timer: &dyn Timer) {
    for (literal, address) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1")] {
        let found =
            within(timer, literal, hosts.resolve(literal)).await.expect("a literal address");
        assert_eq!(found, [address.parse::<IpAddr>().expect("an address")]);
    }

    let found = within(timer, "localhost", hosts.resolve("localhost")).await.expect("localhost");
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");

    let unknown = "no-such-host.invalid";
    let error =
        within(timer, unknown, hosts.resolve(unknown)).await.expect_err("RFC 6761 reserves it");
    // A machine without a resolver at all cannot tell that the name does not exist.
    assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unavailable), "{error:?}");
    assert!(error.to_string().contains(unknown), "{error}");

    let long = format!("{}.example", "a".repeat(64));
    for host in ["", "a\0b", "bad host", &long] {
        let result = within(timer, host, hosts.resolve(host)).await;
        assert!(result.is_err(), "{host:?} has addresses {result:?}");
    }
}
