//! Which proxy a request goes through, as the environment or the program says.

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
pub use self::failure::{ProxyError, ProxyProblem};
use self::no_proxy::NoProxy;

/// Names that always mean an address on the link: Google Cloud's metadata server.
const LINK_LOCAL_NAMES: [&str; 1] = ["metadata.google.internal"];

/// The proxies that HTTP requests go through; [`new`](Self::new) names none.
///
/// Never proxied are hosts on the link (169.254.0.0/16, fe80::/10, `metadata.google.internal`), where clouds
/// keep their metadata services. Neither is plain `http://` to this machine, unless
/// [the program](Self::everywhere) names the proxy.
///
/// A value that cannot be read is an error of the requests that it is about, not of others.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Result<Proxy>>,
    https: Option<Result<Proxy>>,
    no_proxy: Option<Setting<NoProxy>>,
    everywhere: bool,
}

impl Proxies {
    /// No proxy: all requests go directly.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What these variables say: `HTTPS_PROXY` for `https://`, `HTTP_PROXY` for `http://`, `ALL_PROXY` for
    /// what has none of its own, `NO_PROXY` for hosts that are reached directly.
    ///
    /// Each may be in lower case instead; if both are set, the upper case counts. `HTTP_PROXY` is ignored
    /// where `REQUEST_METHOD` is set, because CGI programs get a request's header `Proxy` under that name
    /// (<https://httpoxy.org>).
    ///
    /// A proxy is `[http://|https://][user[:password]@]host[:port]`, with special characters of user and
    /// password percent-encoded; ports are 80 and 443 by default. SOCKS proxies are recognised, and requests that
    /// would go through one are an error.
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
        let read = |own: Option<Setting<String>>| {
            Some(Proxy::read(&own.or_else(|| all.clone())?.into_secret()))
        };
        Self {
            http: read(http),
            https: read(https),
            no_proxy: first(["NO_PROXY", "no_proxy"]).map(NoProxy::read),
            everywhere: false,
        }
    }

    /// One proxy for all requests, also for plain `http://` to this machine. An empty text names none.
    ///
    /// # Errors
    ///
    /// [`Config`](lakebase_core::ErrorKind::Config) if it is not the URL of a proxy.
    pub fn everywhere(proxy: &Setting<Secret>) -> Result<Self> {
        if proxy.value.expose().is_empty() {
            return Ok(Self::new());
        }
        let proxy = Proxy::read(proxy)?;
        let (http, https) = (Some(Ok(proxy.clone())), Some(Ok(proxy)));
        Ok(Self { http, https, no_proxy: None, everywhere: true })
    }

    /// The proxy that a request to `uri` goes through; `None` if it goes directly.
    ///
    /// # Errors
    ///
    /// [`Config`](lakebase_core::ErrorKind::Config) if the setting that is about such requests cannot be read,
    /// [`Unsupported`](lakebase_core::ErrorKind::Unsupported) if it names a SOCKS proxy.
    pub fn proxy(&self, uri: &Uri) -> Result<Option<&Proxy>> {
        let is_tls = uri.scheme_str() == Some("https");
        let proxy = if is_tls { &self.https } else { &self.http };
        let Some(proxy) = proxy else { return Ok(None) };
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let local = !is_tls && !self.everywhere && is_loopback_name(host);
        let exempt = self.no_proxy.as_ref().is_some_and(|list| list.value.holds(host, port));
        if local || exempt || is_on_link(host) {
            return Ok(None);
        }
        let proxy = proxy.as_ref().map_err(Clone::clone)?;
        proxy.check_http().map(|()| Some(proxy))
    }

    /// The settings in effect, for people: their names, what they say, and where they came from. User names and
    /// passwords are left out, and so is a whole value that cannot be read, since it may hold them.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, Setting<String>)> {
        let proxies = [("http_proxy", &self.http), ("https_proxy", &self.https)];
        let readable = proxies.into_iter().filter_map(|(name, proxy)| {
            let proxy = proxy.as_ref()?.as_ref().ok()?;
            Some((name, Setting::new(proxy.url(), proxy.origin().clone())))
        });
        let exempt = self
            .no_proxy
            .iter()
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
