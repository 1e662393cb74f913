//! The workspace's address, normalised as Databricks' SDKs do.
//!
//! A [`WorkspaceHost`] is `https`, or `http` on loopback; it has no path, no query and no user name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use http::uri::Authority;
use lakebase_core::{Error, ErrorKind};

/// A workspace's origin, such as `https://dbc-1234.cloud.databricks.com`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkspaceHost {
    origin: Arc<str>,
    authority: usize,
}

/// The parts of an address as a user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostParts {
    pub(crate) host: WorkspaceHost,
    pub(crate) workspace_id: Option<String>,
    pub(crate) account_id: Option<String>,
}

const ACCEPTED: &str =
    "accepted: the workspace's address, such as https://dbc-1234.cloud.databricks.com";

impl WorkspaceHost {
    /// The origin without a trailing slash, to which paths are appended.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// The host, and the port if it is not 443.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.origin[self.authority..]
    }

    /// Whether `uri` has this origin, so that secrets of this workspace may be sent to it.
    #[must_use]
    pub fn owns(&self, uri: &http::Uri) -> bool {
        uri.scheme_str().zip(uri.authority()).is_some_and(|(scheme, authority)| {
            normalise(scheme, authority).is_ok_and(|host| host == *self)
        })
    }

    /// Parses an address as a user writes it: without a scheme, or with a path and a query.
    pub(crate) fn parts(text: &str) -> Result<HostParts, Error> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if authority.contains('@') {
            return Err(refuse("has a user name or password in it"));
        }
        let authority = authority.parse().map_err(|_| refuse("is not an address"))?;
        let host = normalise(&scheme.to_ascii_lowercase(), &authority)?;
        let query = tail.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let lift = |names: &[&str]| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(name, value)| names.contains(name) && is_id(value));
            found.map(|(_, value)| value.to_owned())
        };
        let workspace_id = lift(&["o", "workspace_id", "w"]);
        Ok(HostParts { host, workspace_id, account_id: lift(&["a", "account_id"]) })
    }
}

/// Whether `text` is valid as a workspace or account id, and so in a header.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn refuse(problem: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{problem}; {ACCEPTED}"))
}

fn normalise(scheme: &str, authority: &Authority) -> Result<WorkspaceHost, Error> {
    let host = authority.host().to_ascii_lowercase();
    let port = &authority.as_str()[authority.host().len()..];
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(0) | Err(_) => return Err(refuse("has a port that is not 1 to 65535")),
            Ok(port) => Some(port),
        },
        None => return Err(refuse("is not an address")),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let ip = bare.parse::<IpAddr>();
    let is_name = bare.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    });
    if ip.is_err() && !is_name {
        return Err(refuse("is not an address"));
    }
    let loopback = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    let default = match scheme {
        "https" => 443,
        "http" if loopback => 80,
        "http" => {
            return Err(refuse(
                "is http://, which would send secrets in the clear; only loopback addresses may use it",
            ));
        }
        _ => return Err(refuse("has a scheme other than https")),
    };
    if host.starts_with("accounts.") || host.starts_with("accounts-dod.") {
        return Err(refuse("is the account console, not a workspace"));
    }
    let port =
        port.filter(|port| *port != default).map_or(String::new(), |port| format!(":{port}"));
    Ok(WorkspaceHost {
        origin: format!("{scheme}://{host}{port}").into(),
        authority: scheme.len() + "://".len(),
    })
}

impl FromStr for WorkspaceHost {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parts(text).map(|parts| parts.host)
    }
}

impl fmt::Display for WorkspaceHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn normalises_what_people_paste() {
        for (text, origin, workspace) in [
            ("dbc-1.cloud.databricks.com", "https://dbc-1.cloud.databricks.com", None),
            (" https://Dbc-1.Example.com/ ", "https://dbc-1.example.com", None),
            ("https://w.example:443/sql/editor?o=123#x", "https://w.example", Some("123")),
            ("w.example?x=1&workspace_id=7", "https://w.example", Some("7")),
            ("w.example?w=8", "https://w.example", Some("8")),
            ("w.example?o=../../x", "https://w.example", None),
            ("https://w.example:8443", "https://w.example:8443", None),
            ("HTTPS://w.example", "https://w.example", None),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", None),
            ("http://localhost:80", "http://localhost", None),
            ("http://[::1]:9", "http://[::1]:9", None),
        ] {
            let parts =
                WorkspaceHost::parts(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(parts.host.as_str(), origin, "{text}");
            assert_eq!(parts.workspace_id.as_deref(), workspace, "{text}");
        }
        let parts = WorkspaceHost::parts("w.example/?a=ab-1").unwrap();
        assert_eq!(parts.account_id.as_deref(), Some("ab-1"));
        assert_eq!(parts.host.authority(), "w.example");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("", "is not an address; accepted: the workspace's address, such as https://dbc-"),
            ("https://", "is not an address"),
            ("https://a b", "is not an address"),
            ("w..example", "is not an address"),
            ("https://user:dapi123@w.example", "has a user name or password in it"),
            ("http://w.example", "is http://, which would send secrets in the clear"),
            ("http://127.0.0.1.evil.example", "is http://"),
            ("ftp://w.example", "has a scheme other than https"),
            ("w.example:0", "has a port that is not 1 to 65535"),
            ("w.example:99999", "has a port"),
            ("https://accounts.cloud.databricks.com", "is the account console, not a workspace"),
            ("accounts-dod.cloud.databricks.us", "is the account console, not a workspace"),
        ] {
            let error = text.parse::<WorkspaceHost>().unwrap_err();
            assert!(error.to_string().starts_with(problem), "{text}: {error}");
            assert!(!error.to_string().contains("dapi123"));
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn owns_its_origin_only() {
        let host: WorkspaceHost = "w.example".parse().unwrap();
        for (uri, owned) in [
            ("https://w.example/oidc/v1/token", true),
            ("https://W.example:443/x", true),
            ("https://w.example:444/x", false),
            ("http://w.example/x", false),
            ("https://evil.example/w.example", false),
            ("https://w.example@evil.example/", false),
            ("/oidc/v1/token", false),
        ] {
            assert_eq!(host.owns(&uri.parse().unwrap()), owned, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "(https?|ftp|://|localhost|\\[::1\\]|[a-z.:/?&=@#-]|\\PC){0,12}") {
            if let Ok(host) = text.parse::<WorkspaceHost>() {
                prop_assert_eq!(host.as_str().parse::<WorkspaceHost>().unwrap(), host.clone());
                let path = format!("{host}/path");
                prop_assert!(host.owns(&path.parse().unwrap()));
            }
        }
    }
}
