//! The workspace's address.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use lakebase_core::{Error, ErrorKind};

/// A workspace's origin, such as `https://dbc-1234.cloud.databricks.com`: `https`, or `http` on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(Arc<str>);

impl Host {
    /// The origin without a trailing slash: what paths are appended to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads an address as people paste it: the scheme may be missing, path and query may be there.
impl FromStr for Host {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |problem: &str| {
            let text = format!(
                "the workspace's address {problem}; accepted: https://dbc-1234.cloud.databricks.com and the like"
            );
            Err(Error::new(ErrorKind::Config, text))
        };
        let lower = text.trim().to_ascii_lowercase();
        let (scheme, rest) = match lower.split_once(':') {
            Some((scheme, rest)) if rest.starts_with("//") => {
                (scheme, rest.trim_start_matches('/'))
            }
            _ => ("https", &*lower),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return wrong("has a user name or password in it");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if host != "[::1]" && !host.split('.').all(label) {
            return wrong("is not an address");
        }
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return wrong("has a port that is not 1 to 65535");
        }
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let loopback = host == "localhost"
            || host == "[::1]"
            || (host.starts_with("127.")
                && host.split('.').count() == 4
                && host.split('.').all(digits));
        match scheme {
            "https" => {}
            "http" if loopback => {}
            "http" => return wrong("is http://, which would send secrets in the clear"),
            _ => return wrong("has a scheme other than https"),
        }
        let port = port.filter(|port| !(scheme == "https" && *port == "443"));
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        Ok(Self(format!("{scheme}://{host}{port}").into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_what_people_paste() {
        for (text, origin) in [
            ("dbc-1.cloud.databricks.com", "https://dbc-1.cloud.databricks.com"),
            (" https://Dbc-1.Example.com/?o=1 ", "https://dbc-1.example.com"),
            ("https://w.example:443/sql", "https://w.example"),
            ("https://w.example:8443", "https://w.example:8443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://localhost:80/x", "http://localhost:80"),
            ("http://[::1]:9", "http://[::1]:9"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().as_str(), origin, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("", "is not an address"),
            ("https://a b", "is not an address"),
            ("w..example", "is not an address"),
            ("wé.example", "is not an address"),
            ("https://user:dapi123@w.example", "has a user name"),
            ("http://w.example", "is http://"),
            ("http://127.0.0.1.evil.example", "is http://"),
            ("http://127.evil", "is http://"),
            ("ftp://w.example", "has a scheme"),
            ("w.example:0", "has a port"),
            ("w.example:99999", "has a port"),
            ("w.example:", "has a port"),
            ("https://[::2]", "is not an address"),
        ] {
            let error = text.parse::<Host>().unwrap_err();
            assert!(error.to_string().contains(problem), "{text}: {error}");
            assert!(!error.to_string().contains("dapi123"));
        }
    }
}
