//! One proxy: where it is, what to say to it, and which setting names it.

use std::fmt;

use http::uri::Authority;
use lakebase_core::{Result, Secret, Setting, SettingOrigin};

const ACCEPTED: &str = "accepted: http://user:password@host:port, with special characters of user and password \
     percent-encoded; https:// if the proxy itself speaks TLS; socks5:// or, if the proxy looks names up, socks5h://";

/// A proxy and the setting that names it. Neither `Debug` nor `Display` shows its user or password.
#[derive(Clone)]
pub struct Proxy {
    pub(super) scheme: Scheme,
    pub(super) host: Box<str>,
    pub(super) port: u16,
    /// `user:password` or `user`, as in the URL.
    pub(super) user: Option<Secret>,
    origin: SettingOrigin,
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    /// SOCKS 5, and names are looked up here.
    Socks5,
    /// SOCKS 5, and names are looked up by the proxy.
    Socks5h,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Socks5, Self::Socks5h];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    /// The port that goes without saying: the registered one.
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }
}

impl Proxy {
    /// Reads a proxy's URL. No error quotes any part of it, because passwords that are not encoded slide into all
    /// of them.
    pub(crate) fn read(setting: &Setting<Secret>) -> Result<Self> {
        let refuse = |problem: &str| setting.error(format!("{problem}; {ACCEPTED}"));
        let text = setting.value.expose().trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let known =
            Scheme::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(scheme));
        let scheme = known.ok_or_else(|| match is_socks(text) {
            // `socks` means version 4 to curl and version 5 to others.
            true => refuse("of SOCKS only version 5 is spoken"),
            false => refuse("not the URL of a proxy"),
        })?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if tail.contains('@') {
            return Err(refuse("a special character of the user or password is not encoded"));
        }
        if !matches!(tail, "" | "/") {
            return Err(refuse("there is more than a host and a port"));
        }
        let (user, place) = authority
            .rsplit_once('@')
            .map_or((None, authority), |(user, place)| (Some(user), place));
        let place: Authority = place.parse().map_err(|_| refuse("there is no valid host"))?;
        let port = match place.as_str().strip_prefix(place.host()).unwrap_or_default() {
            "" => Some(scheme.port()),
            port => port.strip_prefix(':').and_then(|port| port.parse().ok()),
        };
        let port =
            port.filter(|port| *port > 0).ok_or_else(|| refuse("the port is not 1 to 65535"))?;
        if place.host().is_empty() {
            return Err(refuse("there is no valid host"));
        }
        Ok(Self {
            scheme,
            host: place.host().into(),
            port,
            user: user.filter(|user| !user.is_empty()).map(Secret::new),
            origin: setting.origin.clone(),
        })
    }

    /// Scheme, host and port as in a URL; user and password are left out.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}:{}", self.scheme.as_str(), self.host, self.port)
    }

    /// The setting that names this proxy.
    #[must_use]
    pub fn origin(&self) -> &SettingOrigin {
        &self.origin
    }
}

/// Whether the URL of a proxy has a scheme of SOCKS, spoken here or not.
pub(super) fn is_socks(url: &str) -> bool {
    let scheme = url.trim().split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("socks"))
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.url(), self.origin)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &self.url())
            .field("has_user", &self.user.is_some())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
