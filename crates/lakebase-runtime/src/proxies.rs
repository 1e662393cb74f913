//! Which proxy a request or a connection goes through, as the environment or the program says.

mod address;
#[cfg(feature = "_runtime")]
mod client;
mod failure;
mod no_proxy;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use lakebase_core::connect::is_loopback_name;
use lakebase_core::{Environment, Result, Secret, Setting};

pub use self::address::Proxy;
use self::address::is_socks;
pub use self::failure::{ProxyError, ProxyProblem};
use self::no_proxy::NoProxy;

/// Names that always mean an address on the link: Google Cloud's metadata server.
const LINK_LOCAL_NAMES: [&str; 1] = ["metadata.google.internal"];

/// The proxies that HTTP requests and connections to Postgres go through; [`new`](Self::new) names none.
///
/// HTTP goes through proxies of HTTP and of SOCKS, Postgres through those of SOCKS alone. Never proxied are hosts on the
/// link (169.254.0.0/16, fe80::/10, `metadata.google.internal`), where clouds keep their metadata services, and Postgres on this
/// machine. Neither is plain `http://` to this machine, unless [the program](Self::everywhere) names the proxy.
///
/// A value that cannot be read is an error of the requests and connections that it is about, not of others.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Result<Proxy>>,
    https: Option<Result<Proxy>>,
    postgres: Option<Result<Proxy>>,
    no_proxy: Option<Setting<NoProxy>>,
    /// Whether the program named those of HTTP, so that nothing exempts a host.
    everywhere: bool,
    /// The same about Postgres.
    postgres_everywhere: bool,
}

impl Proxies {
    /// No proxy: everything goes directly.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads these variables: `HTTPS_PROXY` for `https://`, `HTTP_PROXY` for `http://`, `ALL_PROXY` for
    /// schemes without a variable of their own, `NO_PROXY` for hosts that are reached directly. Postgres goes through `ALL_PROXY`, if that is a SOCKS
    /// proxy.
    ///
    /// Each may be in lower case instead; if both are set, the upper case counts. `HTTP_PROXY` is ignored
    /// where `REQUEST_METHOD` is set, because CGI programs get a request's header `Proxy` under that name
    /// (<https://httpoxy.org>).
    ///
    /// A proxy is `[scheme://][user[:password]@]host[:port]`, with special characters of user and password percent-encoded:
    ///
    /// | Scheme | The proxy speaks | Port by default |
    /// |---|---|---|
    /// | `http`, or none | HTTP, and is asked to `CONNECT` | 80 |
    /// | `https` | the same inside TLS | 443 |
    /// | `socks5` | SOCKS 5 (RFC 1928, 1929), and gets addresses: names are looked up here | 1080 |
    /// | `socks5h` | SOCKS 5, and gets names, which this machine does not look up | 1080 |
    ///
    /// SOCKS 4 is not spoken, and `socks://` is refused, because programs do not agree on what it means.
    ///
    /// `NO_PROXY` holds entries separated by commas or spaces: a domain, which stands for its subdomains too
    /// (`corp.example`, `.corp.example`, `*.corp.example`), an address, a network (`10.0.0.0/8`, `fd00::/8`),
    /// each with a port or without (`corp.example:8443`, `[::1]:8443`), or `*` for everything. Names are not
    /// looked up. An entry of any other form matches nothing.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Self {
        let first = |names: [&str; 2]| names.into_iter().find_map(|name| environment.var(name));
        let is_cgi = environment.var("REQUEST_METHOD").is_some();
        let http = if is_cgi { None } else { first(["HTTP_PROXY", "http_proxy"]) };
        let https = first(["HTTPS_PROXY", "https_proxy"]);
        let all = first(["ALL_PROXY", "all_proxy"]);
        let read = |setting: Setting<String>| Proxy::read(&setting.into_secret());
        Self {
            http: http.or_else(|| all.clone()).map(read),
            https: https.or_else(|| all.clone()).map(read),
            postgres: all.filter(|all| is_socks(&all.value)).map(read),
            no_proxy: first(["NO_PROXY", "no_proxy"]).map(NoProxy::read),
            ..Self::default()
        }
    }

    /// One proxy for all requests, also for plain `http://` to this machine. An empty text names none.
    ///
    /// # Errors
    ///
    /// [`Config`](lakebase_core::ErrorKind::Config) if it is not the URL of a proxy.
    pub fn everywhere(proxy: &Setting<Secret>) -> Result<Self> {
        Self::new().with_http(proxy)
    }

    /// The same with one proxy for all requests, also for plain `http://` to this machine and for hosts in `NO_PROXY`.
    /// An empty text names none.
    ///
    /// # Errors
    ///
    /// [`Config`](lakebase_core::ErrorKind::Config) if it is not the URL of a proxy.
    pub fn with_http(self, proxy: &Setting<Secret>) -> Result<Self> {
        let proxy = named(proxy)?.map(Ok);
        Ok(Self { http: proxy.clone(), https: proxy, everywhere: true, ..self })
    }

    /// The same with this SOCKS proxy for connections to Postgres, also to hosts in `NO_PROXY`, but not to this machine. An
    /// empty text names none.
    ///
    /// # Errors
    ///
    /// [`Config`](lakebase_core::ErrorKind::Config) if it is not the URL of a SOCKS proxy.
    pub fn with_postgres(self, proxy: &Setting<Secret>) -> Result<Self> {
        let text = proxy.value.expose();
        if !text.is_empty() && !is_socks(text) {
            let problem = "not the URL of a SOCKS proxy, and Postgres goes through no other; accepted: \
                 socks5://user:password@host:port, with special characters of user and password percent-encoded, or socks5h://";
            return Err(proxy.error(problem));
        }
        Ok(Self { postgres: named(proxy)?.map(Ok), postgres_everywhere: true, ..self })
    }

    /// The proxy that a request to `uri` goes through; `None` if it goes directly.
    ///
    /// # Errors
    ///
    /// [`Config`](lakebase_core::ErrorKind::Config) if the setting that is about such requests cannot be read.
    pub fn proxy(&self, uri: &Uri) -> Result<Option<&Proxy>> {
        let is_tls = uri.scheme_str() == Some("https");
        let proxy = if is_tls { &self.https } else { &self.http };
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let local = !is_tls && !self.everywhere && is_loopback_name(host);
        let exempt = !self.everywhere && self.is_exempt(host, port);
        if local || exempt || is_on_link(host) {
            return Ok(None);
        }
        proxy.as_ref().map(|proxy| proxy.as_ref().map_err(Clone::clone)).transpose()
    }

    /// The SOCKS proxy that a connection to Postgres at `host` goes through; `None` if it goes directly.
    ///
    /// This machine is always reached directly: its services may be used without TLS, which holds for no other machine's.
    ///
    /// # Errors
    ///
    /// [`Config`](lakebase_core::ErrorKind::Config) if the setting that is about such connections cannot be read.
    pub fn postgres_proxy(&self, host: &str, port: u16) -> Result<Option<&Proxy>> {
        let exempt = !self.postgres_everywhere && self.is_exempt(host, port);
        if exempt || is_loopback_name(host) || is_on_link(host) {
            return Ok(None);
        }
        self.postgres.as_ref().map(|proxy| proxy.as_ref().map_err(Clone::clone)).transpose()
    }

    fn is_exempt(&self, host: &str, port: u16) -> bool {
        self.no_proxy.as_ref().is_some_and(|list| list.value.holds(host, port))
    }

    /// The settings in effect, for people: their names, what they say, and where they came from. User names and
    /// passwords are left out, and so is a whole value that cannot be read, since it may hold them.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, Setting<String>)> {
        let proxies = [
            ("http_proxy", &self.http),
            ("https_proxy", &self.https),
            ("postgres_proxy", &self.postgres),
        ];
        let readable = proxies.into_iter().filter_map(|(name, proxy)| {
            let proxy = proxy.as_ref()?.as_ref().ok()?;
            Some((name, Setting::new(proxy.url(), proxy.origin().clone())))
        });
        let exempt = self
            .no_proxy
            .iter()
            .filter(|_| !self.everywhere || (self.postgres.is_some() && !self.postgres_everywhere))
            .map(|list| ("no_proxy", Setting::new(list.value.to_string(), list.origin.clone())));
        readable.chain(exempt).collect()
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Proxies");
        for (name, Setting { value, origin }) in self.settings() {
            out.field(name, &format_args!("{value} from {origin}"));
        }
        out.finish_non_exhaustive()
    }
}

/// The proxy that a setting of the program names.
fn named(proxy: &Setting<Secret>) -> Result<Option<Proxy>> {
    match proxy.value.expose() {
        "" => Ok(None),
        _ => Proxy::read(proxy).map(Some),
    }
}

/// Whether `host` is an address of this link, or always stands for one.
fn is_on_link(host: &str) -> bool {
    match address(host) {
        Some(IpAddr::V4(address)) => address.is_link_local(),
        Some(IpAddr::V6(address)) => address.is_unicast_link_local(),
        None => LINK_LOCAL_NAMES.iter().any(|name| name.eq_ignore_ascii_case(host)),
    }
}

/// The address that `host` is, if it is one; brackets around IPv6 are accepted, and IPv4 inside IPv6 is IPv4.
fn address(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    inner.parse().ok().map(|address: IpAddr| address.to_canonical())
}
