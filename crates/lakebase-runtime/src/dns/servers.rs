//! Lists of DNS servers, as settings write them.

use std::net::{IpAddr, SocketAddr};

use lakebase_core::{Error, ErrorKind, Result};

pub(super) const PORT: u16 = 53;

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

    proptest! {
        #[test]
        fn any_address_round_trips(address: IpAddr, port in 1u16..) {
            let server = SocketAddr::new(address, port);
            prop_assert_eq!(parse_servers(&server.to_string()).unwrap(), vec![server]);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = parse_servers(&text);
        }
    }
}
