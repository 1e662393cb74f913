//! Options for a runtime's effects.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::{Error, ErrorKind, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::Proxies;

/// Choices for the constructors of this crate; [`Options::new`] chooses nothing.
#[derive(Clone)]
#[must_use]
pub struct Options {
    pub(crate) roots: Arc<[CertificateDer<'static>]>,
    pub(crate) dns_servers: Arc<[SocketAddr]>,
    pub(crate) dns_timeout: Duration,
    pub(crate) resolv_conf: Option<PathBuf>,
    pub(crate) socket_parent: Option<PathBuf>,
    pub(crate) proxies: Proxies,
    pub(crate) proxy_timeout: Duration,
    pub(crate) reqwest: bool,
    pub(crate) surf: bool,
}

impl Options {
    /// Public and platform roots, the system's DNS servers, the runtime's own HTTP client.
    pub fn new() -> Self {
        Self {
            roots: Arc::new([]),
            dns_servers: Arc::new([]),
            dns_timeout: Duration::from_secs(2),
            resolv_conf: None,
            socket_parent: None,
            proxies: Proxies::new(),
            proxy_timeout: Duration::from_secs(8),
            reqwest: false,
            surf: false,
        }
    }

    /// Trusts the certificates in `pem` too, for HTTPS. Default: none. Calls add up.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if `pem` holds no certificate, or one that cannot be read.
    pub fn root_certificates_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self> {
        let refuse = |problem: &str| {
            let message = format!("extra root certificates: {problem}; accepted: PEM certificates");
            Error::new(ErrorKind::Config, message)
        };
        let mut roots = self.roots.to_vec();
        let known = roots.len();
        let mut check = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_ref()) {
            let certificate = certificate
                .map_err(|error| refuse("malformed PEM").with_source(error.to_string()))?;
            check
                .add(certificate.clone())
                .map_err(|error| refuse("a certificate cannot be read").with_source(error))?;
            roots.push(certificate);
        }
        if roots.len() == known {
            return Err(refuse("no certificate found"));
        }
        self.roots = roots.into();
        Ok(self)
    }

    /// The servers that direct DNS queries go to, in order. Default: none, which means those that the system uses at the
    /// time of the query: by `/etc/resolv.conf`, on macOS by `scutil --dns`, on Windows by its network adapters.
    pub fn dns_servers(mut self, servers: impl Into<Arc<[SocketAddr]>>) -> Self {
        self.dns_servers = servers.into();
        self
    }

    /// How long a direct DNS query waits for one server before it asks the next. Default: 2 s.
    ///
    /// Every server is asked twice, so a query ends within four times this for one server.
    pub fn dns_timeout(mut self, timeout: Duration) -> Self {
        self.dns_timeout = timeout;
        self
    }

    /// A file in the form of `resolv.conf` that names DNS servers when [`dns_servers`](Self::dns_servers) does not.
    /// Default: none, which means what the system uses.
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.resolv_conf = Some(path.into());
        self
    }

    /// The folder in which private sockets get theirs. Default: the platform's folder for temporary
    /// files (`TMPDIR`); if it cannot hold one, ports of loopback with random passwords serve instead.
    pub fn socket_parent(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket_parent = Some(path.into());
        self
    }

    /// The proxies that HTTP goes through. Default: none, whatever the process's environment says;
    /// [`Proxies::from_environment`] reads one.
    ///
    /// A proxy is asked to `CONNECT`, for plain `http://` too, so it sees where requests go and, with `https://`,
    /// not what they say. The exceptions are reqwest, which hands plain `http://` requests to it whole, and surf,
    /// which knows no proxies: there, a request that would go through one is an error.
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// How long a proxy has to open a way: look-up, TCP and its answer together. Default: 8 s, so that the
    /// error that names it comes before the ten seconds that one attempt to fetch a token has.
    pub fn proxy_timeout(mut self, timeout: Duration) -> Self {
        self.proxy_timeout = timeout;
        self
    }

    /// Whether HTTP goes through reqwest on tokio; other runtimes go on with hyper. Default: no.
    #[cfg(feature = "http-reqwest")]
    pub fn reqwest(mut self, reqwest: bool) -> Self {
        self.reqwest = reqwest;
        self
    }

    /// Whether HTTP goes through surf. Default: no. Read about its state in the crate's documentation.
    ///
    /// It opens a connection for each request, tries only the first address of a host, and cannot read replies
    /// without a length. surf's TLS cannot be given certificates: together with
    /// [`root_certificates_pem`](Self::root_certificates_pem) the constructors fail. OpenSSL reads the file
    /// that `SSL_CERT_FILE` names.
    #[cfg(feature = "http-surf")]
    pub fn surf(mut self, surf: bool) -> Self {
        self.surf = surf;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            roots,
            dns_servers,
            dns_timeout,
            resolv_conf,
            socket_parent,
            proxies,
            proxy_timeout,
            reqwest,
            surf,
        } = self;
        f.debug_struct("Options")
            .field("roots", &roots.len())
            .field("dns_servers", dns_servers)
            .field("dns_timeout", dns_timeout)
            .field("resolv_conf", resolv_conf)
            .field("socket_parent", socket_parent)
            .field("proxies", proxies)
            .field("proxy_timeout", proxy_timeout)
            .field("reqwest", reqwest)
            .field("surf", surf)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_text_without_certificates() {
        for text in
            ["", "hello", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"]
        {
            let error = Options::new().root_certificates_pem(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text:?}");
            assert!(error.to_string().contains("accepted: PEM certificates"), "{error}");
        }
    }

    #[test]
    fn takes_several_certificates_and_adds_up() {
        let pem =
            |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
        let two = format!("{}\n{}", pem("a.example"), pem("b.example"));
        let options = Options::new().root_certificates_pem(two).unwrap();
        let options = options.root_certificates_pem(pem("c.example")).unwrap();
        assert_eq!(options.roots.len(), 3);
        assert!(format!("{options:?}").contains("roots: 3"));
    }
}
