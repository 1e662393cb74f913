//! Questions of clients about a proxy, and the words for its failures.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
#[cfg(feature = "http-reqwest")]
use lakebase_core::Secret;
use lakebase_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

use super::address::Scheme;
use super::{Proxies, Proxy, ProxyError, ProxyProblem};
use crate::failure;

/// How long no request goes to a proxy that did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The name and password in the URL of a proxy.
pub(crate) struct Credentials {
    pub(crate) name: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl Proxies {
    /// The way of a request to `uri` in words; see [`HttpClient::route`](lakebase_core::HttpClient::route).
    pub(crate) fn route(&self, uri: &Uri) -> Result<String> {
        let proxy = self.proxy(uri)?;
        Ok(proxy.map_or("directly".to_owned(), |proxy| format!("through the proxy {proxy}")))
    }

    /// Whether no request goes through a proxy.
    #[cfg(feature = "http-reqwest")]
    pub(crate) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }
}

impl Proxy {
    /// For errors: `host`, and that requests to it go through this proxy.
    pub(crate) fn way_to(&self, host: &str) -> String {
        format!("{host} through the proxy {self}")
    }

    /// Name or address; IPv6 in brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether the proxy itself is spoken to inside TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The URL with user and password, as another HTTP client takes it.
    #[cfg(feature = "http-reqwest")]
    pub(crate) fn full_url(&self) -> Secret {
        let user = self.user.as_ref().map_or(String::new(), |user| format!("{}@", user.expose()));
        Secret::new(format!("{}://{user}{}:{}", self.scheme.as_str(), self.host, self.port))
    }

    /// Whether the proxy speaks SOCKS, and not HTTP.
    pub(crate) fn is_socks(&self) -> bool {
        matches!(self.scheme, Scheme::Socks5 | Scheme::Socks5h)
    }

    /// Whether host names are looked up by the proxy instead of this machine.
    pub(crate) fn looks_up(&self) -> bool {
        self.scheme != Scheme::Socks5
    }

    /// User and password, decoded.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let text = self.user.as_ref()?.expose();
        let (name, password) = text.split_once(':').unwrap_or((text, ""));
        let decode = |text| percent_decode_str(text).collect();
        Some(Credentials { name: decode(name), password: decode(password) })
    }

    /// The value of `Proxy-Authorization`: Basic authentication (RFC 7617) with what the URL says.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let Credentials { name, password } = self.credentials()?;
        let pair = [name, password].join(&b':');
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl ProxyError {
    fn new(problem: ProxyProblem, kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { problem, kind, pause: None, message: message.into(), source: None }
    }

    /// `proxy` asks for a user and a password, or for others, by this `answer`.
    pub(crate) fn authentication_required(answer: impl fmt::Display, proxy: &Proxy) -> Self {
        let advice = match proxy.scheme {
            _ if proxy.user.is_some() => {
                "it does not accept the user and password in its URL".to_owned()
            }
            scheme => format!(
                "it wants a user and a password: put them into its URL, {}://user:password@host:port",
                scheme.as_str()
            ),
        };
        Self::new(
            ProxyProblem::AuthenticationRequired,
            ErrorKind::Config,
            format!("the proxy answered {answer}: {advice}"),
        )
    }

    /// The proxy does not open the way; `kind` says whether that may pass.
    pub(crate) fn refused(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self::new(ProxyProblem::Refused, kind, message)
    }

    pub(crate) fn unreachable(message: impl Into<Box<str>>) -> Self {
        Self::new(ProxyProblem::Unreachable, ErrorKind::Unavailable, message)
    }

    /// The proxy did not open a way in time.
    ///
    /// It is not asked again at once, as after other failures: it may have too much to do.
    pub(crate) fn silent(message: impl Into<Box<str>>) -> Self {
        Self { pause: Some(PAUSE), ..Self::unreachable(message) }
    }

    /// The same where nothing more is known.
    pub(crate) fn no_way(limit: Duration) -> Self {
        Self::silent(format!("the proxy opened no way within {limit:?}"))
    }

    pub(crate) fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Whether it may pass, and what it is otherwise.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The error of a request to `place`.
    pub(crate) fn into_error(self, place: &str) -> Error {
        let pause = self.pause;
        let error = match self.kind {
            ErrorKind::Unavailable => failure::exchange(place, self),
            kind => Error::new(kind, format!("could not reach {place}")).with_source(self),
        };
        match pause {
            Some(pause) => error.with_retry_after(pause),
            None => error,
        }
    }
}
