//! Which DNS servers are asked: lists in settings, and `resolv.conf`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use lakebase_core::{Error, ErrorKind, Result};

const PORT: u16 = 53;
/// Further lines of `resolv.conf` are ignored; C libraries stop at three.
const MAX_SERVERS: usize = 8;

/// Reads servers as `LAKEBASE_DNS` and `--dns` write them: `ip`, `ip:port` or `[ipv6]:port`, separated by
/// commas, with 53 as the default port.
///
/// # Errors
///
/// [`Config`](ErrorKind::Config), quoting the part that is wrong and what is accepted. An empty list is one.
pub fn parse_servers(text: &str) -> Result<Vec<SocketAddr>> {
    text.split(',').map(|part| parse_server(part.trim())).collect()
}

fn parse_server(text: &str) -> Result<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => Some(SocketAddr::new(address, PORT)),
        Err(_) => text.parse().ok(),
    };
    address.filter(|address| address.port() != 0).ok_or_else(|| {
        let message = format!(
            "{text:?} is not the address of a DNS server; accepted: ip, ip:port or [ipv6]:port with a port \
             from 1 to 65535, several separated by commas"
        );
        Error::new(ErrorKind::Config, message)
    })
}

/// The servers of a `resolv.conf`, in its order. Lines that name none are skipped, as C libraries do.
///
/// `interface_index` finds the number of a network interface for addresses like `fe80::1%eth0`.
pub(crate) fn parse_resolv_conf(
    text: &str,
    interface_index: impl Fn(&str) -> Option<u32>,
) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("nameserver") {
            return None;
        }
        let word = words.next()?;
        let Some((address, scope)) = word.split_once('%') else {
            return Some(SocketAddr::new(word.parse().ok()?, PORT));
        };
        let address = address.parse::<Ipv6Addr>().ok()?;
        let scope = scope.parse().ok().or_else(|| interface_index(scope))?;
        Some(SocketAddrV6::new(address, PORT, 0, scope).into())
    };
    text.lines().filter_map(server).take(MAX_SERVERS).collect()
}

/// The number of a network interface, where the system shows it as a file (Linux).
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let is_plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@:".contains(&byte));
    if !is_plain || name.starts_with('.') {
        return None;
    }
    std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str) -> Result<Vec<String>, String> {
        let servers = parse_servers(text).map_err(|error| error.to_string())?;
        Ok(servers.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_lists_of_servers() {
        assert_eq!(check("127.0.0.1:5353").unwrap(), ["127.0.0.1:5353"]);
        assert_eq!(
            check("9.9.9.9, [2620:fe::fe]:5353,2620:fe::9,[::1]").unwrap(),
            ["9.9.9.9:53", "[2620:fe::fe]:5353", "[2620:fe::9]:53", "[::1]:53"]
        );
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        for text in [
            "",
            "dns.example",
            "9.9.9.9:",
            "9.9.9.9:0",
            "9.9.9.9:70000",
            "9.9.9.9,,1.1.1.1",
            "[::1",
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains("accepted: ip, ip:port or [ipv6]:port"), "{text}: {error}");
        }
    }

    #[test]
    fn reads_resolv_conf() {
        let text = "# comment\nsearch corp.example\n nameserver 10.0.0.2\nnameserver\t::1 # x\n\
                    nameserver fe80::1%eth0\nnameserver fe80::2%7\nnameserver fe80::3%nope\n\
                    nameserver nonsense\nnameserver\noptions timeout:1\n";
        let servers = parse_resolv_conf(text, |name| (name == "eth0").then_some(3));
        let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.2:53", "[::1]:53", "[fe80::1%3]:53", "[fe80::2%7]:53"]);
    }

    #[test]
    fn interface_names_cannot_leave_their_folder() {
        assert_eq!(interface_index("../../../etc/hostname"), None);
        assert_eq!(interface_index(".."), None);
    }

    proptest! {
        #[test]
        fn any_address_round_trips(address: IpAddr, port in 1u16..) {
            let server = SocketAddr::new(address, port);
            prop_assert_eq!(parse_servers(&server.to_string()).unwrap(), vec![server]);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = parse_servers(&text);
            let _ = parse_resolv_conf(&text, |_| None);
        }
    }
}
