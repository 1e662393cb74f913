//! Hosts that are reached directly: `NO_PROXY`.

use std::fmt;
use std::net::IpAddr;

use lakebase_core::Setting;

use super::address;

/// The entries, and the text that they were read from.
#[derive(Clone, Debug)]
pub(super) struct NoProxy {
    text: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    /// `None` stands for every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// An address, and how many of its leading bits count.
    Network(IpAddr, u32),
    /// A domain with its subdomains.
    Domain(String),
}

impl NoProxy {
    /// Reads the list; what has no known form matches nothing.
    pub(super) fn read(setting: Setting<String>) -> Setting<Self> {
        let words = setting.value.split(|c: char| c == ',' || c.is_whitespace());
        let entries = words.filter(|word| !word.is_empty()).map(Entry::read).collect();
        Setting::new(Self { text: setting.value, entries }, setting.origin)
    }

    /// Whether `host` is reached directly at `port`.
    pub(super) fn holds(&self, host: &str, port: u16) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.port.is_none_or(|only| only == port) && entry.hosts.contain(host))
    }
}

impl fmt::Display for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Entry {
    fn read(text: &str) -> Self {
        let (host, port) = match text.rsplit_once(':') {
            // Colons of an IPv6 address without brackets are its own.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                match port.parse() {
                    Ok(port) => (host, Some(port)),
                    Err(_) => (text, None),
                }
            }
            _ => (text, None),
        };
        Self { hosts: Hosts::read(host), port }
    }
}

impl Hosts {
    fn read(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let (start, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        if let Some(start) = address(start) {
            let width = width(start);
            match bits.map_or(Some(width), |bits| bits.parse().ok()) {
                Some(bits) if bits <= width => return Self::Network(start, bits),
                _ => {}
            }
        }
        let domain = text.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(text);
        Self::Domain(domain.trim_matches('.').to_ascii_lowercase())
    }

    fn contain(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        match (self, address(host)) {
            (Self::All, _) => true,
            (Self::Network(start, bits), Some(address)) => {
                width(*start) == width(address)
                    && (bits_of(*start) ^ bits_of(address)).leading_zeros() >= *bits
            }
            (Self::Domain(domain), None) => {
                let host = host.to_ascii_lowercase();
                let rest = host.strip_suffix(domain.as_str());
                !domain.is_empty()
                    && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(..), None) | (Self::Domain(_), Some(_)) => false,
        }
    }
}

/// How many bits an address of this family has.
fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address's bits, the first one highest.
fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}
