//! What HTTP clients ask about a proxy, and how they word its failures.

use std::error::Error as StdError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, Uri};
#[cfg(feature = "http-reqwest")]
use lakebase_core::Secret;
use lakebase_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

use super::address::Scheme;
use super::{Proxies, Proxy, ProxyError, ProxyProblem};
use crate::failure;

/// How long a silent proxy is left alone.
const PAUSE: Duration = Duration::from_secs(1);

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

    /// Whether the URL has a user or a password.
    pub(crate) fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// The URL with user and password, as another HTTP client takes it.
    #[cfg(feature = "http-reqwest")]
    pub(crate) fn full_url(&self) -> Secret {
        let user = self.user.as_ref().map_or(String::new(), |user| format!("{}@", user.expose()));
        Secret::new(format!("{}://{user}{}:{}", self.scheme.as_str(), self.host, self.port))
    }

    /// The value of `Proxy-Authorization`: Basic authentication (RFC 7617) with what the URL says.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let text = self.user.as_ref()?.expose();
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let pair: Vec<u8> =
            percent_decode_str(user).chain([b':']).chain(percent_decode_str(password)).collect();
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl ProxyError {
    fn new(problem: ProxyProblem, message: impl Into<Box<str>>) -> Self {
        Self { problem, message: message.into(), source: None }
    }

    /// `proxy` asks for a user and a password, or for others, by this status.
    pub(crate) fn authentication_required(status: StatusCode, proxy: &Proxy) -> Self {
        let advice = if proxy.has_user() {
            "it does not accept the user and password in its URL"
        } else {
            "it wants a user and a password: put them into its URL, http://user:password@host:port"
        };
        Self::new(
            ProxyProblem::AuthenticationRequired,
            format!("the proxy answered {status}: {advice}"),
        )
    }

    pub(crate) fn refused(message: impl Into<Box<str>>) -> Self {
        Self::new(ProxyProblem::Refused, message)
    }

    pub(crate) fn unreachable(message: impl Into<Box<str>>) -> Self {
        Self::new(ProxyProblem::Unreachable, message)
    }

    /// The error of a proxy that opened no way within `limit`.
    ///
    /// It is not asked again at once, as after other failures: it may have too much to do.
    pub(crate) fn silent(limit: Duration, place: &str) -> Error {
        let message = format!("the proxy opened no way within {limit:?}");
        Self::unreachable(message).into_error(place).with_retry_after(PAUSE)
    }

    pub(crate) fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The error of a request to `place`: one that usually passes, unless a user and a password are missing.
    pub(crate) fn into_error(self, place: &str) -> Error {
        match self.problem {
            ProxyProblem::AuthenticationRequired => self.with_kind(ErrorKind::Config, place),
            ProxyProblem::Refused | ProxyProblem::Unreachable => failure::exchange(place, self),
        }
    }

    /// The same with a kind that the caller knows.
    pub(crate) fn with_kind(self, kind: ErrorKind, place: &str) -> Error {
        Error::new(kind, format!("could not reach {place}")).with_source(self)
    }
}
