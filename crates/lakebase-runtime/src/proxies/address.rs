//! One proxy: where it is, what to say to it, and which setting names it.

use std::fmt;

use http::uri::Authority;
use lakebase_core::{Error, ErrorKind, Result, Secret, Setting, SettingOrigin};

const ACCEPTED: &str = "accepted: http://user:password@host:port, with special characters of user and password \
     percent-encoded; https:// if the proxy itself speaks TLS";

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

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    /// `socks4`, `socks4a`, `socks5` or `socks5h`.
    Socks(&'static str),
}

impl Scheme {
    /// With the port that goes without saying: the registered ones.
    const ALL: [(Self, u16); 6] = [
        (Self::Http, 80),
        (Self::Https, 443),
        (Self::Socks("socks4"), 1080),
        (Self::Socks("socks4a"), 1080),
        (Self::Socks("socks5"), 1080),
        (Self::Socks("socks5h"), 1080),
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks(name) => name,
        }
    }
}

impl Proxy {
    /// Reads a proxy's URL. No error quotes any part of it, because passwords that are not encoded slide into all
    /// of them.
    pub(super) fn read(setting: &Setting<Secret>) -> Result<Self> {
        let refuse = |problem: &str| setting.error(format!("{problem}; {ACCEPTED}"));
        let text = setting.value.expose().trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let known =
            Scheme::ALL.into_iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(scheme));
        let (scheme, default_port) = known.ok_or_else(|| refuse("not the URL of a proxy"))?;
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
            "" => Some(default_port),
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

    /// Fails for a proxy that HTTP cannot go through.
    pub(super) fn check_http(&self) -> Result<()> {
        match self.scheme {
            Scheme::Http | Scheme::Https => Ok(()),
            Scheme::Socks(_) => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{}: HTTP does not go through a SOCKS proxy ({}); name an HTTP proxy in HTTPS_PROXY, or the host in \
                     NO_PROXY to reach it directly",
                    self.origin,
                    self.url()
                ),
            )),
        }
    }
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
