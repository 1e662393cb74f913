//! The DNS servers that macOS uses, as `scutil --dns` prints them.
//!
//! `/etc/resolv.conf` is written there for old programs and is not what the system asks: it knows neither VPNs that serve some domains
//! only nor the files of `/etc/resolver`. Source: macOS's resolver(5) and scutil(8); the text is that of `dns_configuration_print`.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use super::servers::PORT;
use crate::hosts::distinct;

/// One resolver of the list.
#[derive(Default)]
struct Resolver<'a> {
    /// The domain that it serves; without one, all names.
    domain: Option<&'a str>,
    addresses: Vec<&'a str>,
    port: Option<u16>,
    /// The number of the interface that it is behind.
    interface: Option<u32>,
    /// Among resolvers of the same domain, the smallest is asked first.
    order: u32,
    /// Multicast DNS, which is no server.
    multicast: bool,
}

/// The servers to ask for `name`: those of the longest domain that it is in, else those for all names.
///
/// Resolvers of single interfaces ("for scoped queries") are left out: they are for programs that bind to one.
pub(super) fn servers(text: &str, name: &str) -> Vec<SocketAddr> {
    let mut resolvers = parse(text);
    resolvers.retain(|resolver| {
        !resolver.multicast
            && !resolver.addresses.is_empty()
            && resolver.domain.is_none_or(|domain| serves(domain, name))
    });
    let longest = resolvers.iter().map(|resolver| specific(resolver)).max();
    resolvers.retain(|resolver| Some(specific(resolver)) == longest);
    resolvers.sort_by_key(|resolver| resolver.order);
    distinct(resolvers.iter().flat_map(Resolver::servers))
}

fn specific(resolver: &Resolver<'_>) -> usize {
    resolver.domain.map_or(0, str::len)
}

fn serves(domain: &str, name: &str) -> bool {
    let Some(start) = name.len().checked_sub(domain.len()) else { return false };
    let tail = name.get(start..).is_some_and(|tail| tail.eq_ignore_ascii_case(domain));
    tail && (start == 0 || name.as_bytes().get(start - 1) == Some(&b'.'))
}

fn parse(text: &str) -> Vec<Resolver<'_>> {
    let mut resolvers: Vec<Resolver<'_>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("DNS configuration (for scoped queries)") {
            break;
        }
        if line.starts_with("resolver #") {
            resolvers.push(Resolver::default());
            continue;
        }
        let (Some(resolver), Some((key, value))) = (resolvers.last_mut(), line.split_once(':'))
        else {
            continue;
        };
        let value = value.trim();
        match key.trim() {
            "domain" => resolver.domain = Some(value.trim_end_matches('.')),
            "port" => resolver.port = value.parse().ok(),
            "order" => resolver.order = value.parse().unwrap_or_default(),
            "options" => resolver.multicast = value.split(' ').any(|option| option == "mdns"),
            "if_index" => {
                resolver.interface = value.split(' ').next().and_then(|it| it.parse().ok());
            }
            key if key.starts_with("nameserver[") => resolver.addresses.push(value),
            _ => {}
        }
    }
    resolvers
}

impl Resolver<'_> {
    fn servers(&self) -> impl Iterator<Item = SocketAddr> {
        let port = self.port.filter(|port| *port != 0).unwrap_or(PORT);
        self.addresses.iter().filter_map(move |text| {
            let address = text.split('%').next()?;
            Some(match address.parse().ok()? {
                // Which machine that is depends on the interface.
                IpAddr::V6(address) if address.is_unicast_link_local() => {
                    SocketAddrV6::new(address, port, 0, self.interface?).into()
                }
                address => SocketAddr::new(address, port),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAPTOP: &str = "DNS configuration

resolver #1
  search domain[0] : lan
  nameserver[0] : 192.168.1.1
  nameserver[1] : fe80::1%en0
  nameserver[2] : fe80::2%en7
  if_index : 12 (en0)
  flags    : Request A records
  reach    : 0x00020002 (Reachable,Directly Reachable Address)

resolver #2
  domain   : local
  options  : mdns
  timeout  : 5
  nameserver[0] : 224.0.0.251
  flags    : Request A records
  order    : 300000

resolver #3
  domain   : example.com
  nameserver[0] : 10.9.0.2
  order    : 102400

resolver #4
  domain   : db.example.com.
  nameserver[0] : 127.0.0.1
  port     : 5353
  order    : 102400

resolver #5
  domain   : db.example.com
  nameserver[0] : 10.9.0.1
  nameserver[1] : nonsense
  order    : 101200

resolver #6
  nameserver[0] : 192.168.1.1
  nameserver[1] : 8.8.8.8
  order    : 200000

DNS configuration (for scoped queries)

resolver #1
  nameserver[0] : 203.0.113.7
  if_index : 12 (en0)
  flags    : Scoped, Request A records
";

    fn asked(text: &str, name: &str) -> String {
        servers(text, name).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_of_a_domain_are_asked_of_its_servers_and_others_of_the_default_ones() {
        let all = "192.168.1.1:53 [fe80::1%12]:53 [fe80::2%12]:53 8.8.8.8:53";
        assert_eq!(asked(LAPTOP, "ep.cloud.example"), all);
        assert_eq!(asked(LAPTOP, "notexample.com"), all);
        assert_eq!(asked(LAPTOP, "printer.local"), all);
        assert_eq!(asked(LAPTOP, "EP.Example.com"), "10.9.0.2:53");
        assert_eq!(asked(LAPTOP, "ep.db.example.com"), "10.9.0.1:53 127.0.0.1:5353");
        assert_eq!(asked(LAPTOP, "db.example.com"), "10.9.0.1:53 127.0.0.1:5353");
        assert_eq!(asked("No DNS configuration available\n", "ep.example"), "");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "(resolver #1|(domain|port|order|if_index|nameserver\\[0\\]) *: [0-9a-z.:%é]{0,12}|.{0,30}\n){0,9}",
            name in ".{0,20}",
        ) {
            for server in servers(&text, &name) {
                prop_assert!(server.port() != 0);
            }
        }
    }
}
