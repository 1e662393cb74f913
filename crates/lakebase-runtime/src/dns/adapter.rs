//! The DNS servers of Windows' network adapters, as they can be asked.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use super::servers::PORT;

/// The server at `address`, as it is reached through the interface of this number.
///
/// Windows names `fec0:0:0:ffff::1` to `::3` for adapters without an IPv6 server; no server is there (RFC 3879).
pub(super) fn server(address: IpAddr, interface: u32) -> Option<SocketAddr> {
    match address {
        IpAddr::V6(v6) if v6.segments()[..4] == [0xfec0, 0, 0, 0xffff] => None,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            Some(SocketAddrV6::new(v6, PORT, 0, interface).into())
        }
        address => Some(SocketAddr::new(address, PORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_servers_keep_their_interface_and_placeholders_are_left_out() {
        let asked = |address: &str| server(address.parse().unwrap(), 7).map(|it| it.to_string());
        assert_eq!(asked("192.168.1.1").unwrap(), "192.168.1.1:53");
        assert_eq!(asked("2001:db8::1").unwrap(), "[2001:db8::1]:53");
        assert_eq!(asked("fe80::1").unwrap(), "[fe80::1%7]:53");
        assert_eq!(asked("fec0:0:0:ffff::1"), None);
    }
}
