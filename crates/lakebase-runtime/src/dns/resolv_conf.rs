//! The DNS servers that the system uses, as `resolv.conf` names them.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use super::servers::PORT;

/// Further lines of `resolv.conf` are ignored; C libraries stop at three.
const MAX_SERVERS: usize = 8;

/// The servers of a `resolv.conf`, in its order. Lines that name none are skipped, as C libraries do.
///
/// `interface_index` finds the number of a network interface for addresses like `fe80::1%eth0`.
pub(super) fn parse_resolv_conf(
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
pub(super) fn interface_index(name: &str) -> Option<u32> {
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
        fn no_text_makes_it_panic(text in "(nameserver[ \\t%:0-9a-f]{0,40}\n|.{0,80}\n){0,6}") {
            for server in parse_resolv_conf(&text, |_| None) {
                prop_assert_eq!(server.port(), PORT);
            }
        }
    }
}
