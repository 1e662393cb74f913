//! The files of `/etc/resolver`, one for each domain that has servers of its own. Source: macOS's resolver(5).

use std::net::SocketAddr;

use super::resolv_conf::{interface_index, parse_resolv_conf};

/// The servers of the longest domain of `name` that has a file with some; `read` gives the file of a domain.
pub(super) fn servers(name: &str, read: impl Fn(&str) -> Option<String>) -> Vec<SocketAddr> {
    let mut domain = name;
    // A name with other characters could lead out of the folder.
    while !domain.contains(['/', '\\']) && !domain.is_empty() {
        let servers = read(domain).map(|text| of_file(&text)).unwrap_or_default();
        if !servers.is_empty() {
            return servers;
        }
        domain = domain.split_once('.').map_or("", |(_, parent)| parent);
    }
    Vec::new()
}

/// As `resolv.conf`, and with a line for the port.
fn of_file(text: &str) -> Vec<SocketAddr> {
    let port = text.lines().rev().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "port")?;
        words.next()?.parse().ok().filter(|port| *port != 0)
    });
    let mut servers = parse_resolv_conf(text, interface_index);
    for server in &mut servers {
        server.set_port(port.unwrap_or(server.port()));
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str) -> Vec<String> {
        let files = |domain: &str| match domain {
            "corp.example" => Some("nameserver 10.0.0.2\n# port 1\nport 5353\n".to_owned()),
            "db.corp.example" => Some("nameserver ::1\nnameserver 10.0.0.3\n".to_owned()),
            "empty.corp.example" => Some("search corp.example\n".to_owned()),
            _ => None,
        };
        servers(name, files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_file_of_the_longest_domain_counts() {
        assert_eq!(asked("ep.db.corp.example"), ["[::1]:53", "10.0.0.3:53"]);
        assert_eq!(asked("corp.example"), ["10.0.0.2:5353"]);
        assert_eq!(asked("a.empty.corp.example"), ["10.0.0.2:5353"]);
        assert!(asked("ep.example").is_empty());
        assert!(asked("../corp.example").is_empty());
    }
}
