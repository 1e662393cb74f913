//! TLS towards clients.

use std::fmt;
use std::sync::Arc;

use lakebase_core::{Error, ErrorKind, Result};
use lakebase_session::tls::provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::access::ALPN;

/// A certificate to show to clients, and whose certificates clients must show.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ServerConfig>,
    checks_clients: bool,
}

impl ClientTls {
    /// Shows the certificates in `certificates` (PEM, the server's own first) with the key in `key` (PEM). With
    /// `client_ca` (PEM), clients must use TLS and show a certificate of one of these authorities.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if one of them cannot be read or they do not belong together. No error holds the key.
    pub fn from_pem(certificates: &[u8], key: &[u8], client_ca: Option<&[u8]>) -> Result<Self> {
        let refuse = |what: &str| Error::new(ErrorKind::Config, what.to_owned());
        let chain = read_certificates(certificates).ok_or_else(|| {
            refuse("the server's certificate cannot be read; accepted: PEM certificates")
        })?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| refuse("the server's key cannot be read; accepted: a PEM private key"))?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse("TLS cannot be set up").with_source(error))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let problem = "the clients' authority cannot be read; accepted: PEM certificates";
                let mut roots = RootCertStore::empty();
                for certificate in read_certificates(pem).ok_or_else(|| refuse(problem))? {
                    roots.add(certificate).map_err(|error| refuse(problem).with_source(error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                        .build()
                        .map_err(|error| refuse(problem).with_source(error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            refuse("the server's certificate and key do not belong together").with_source(error)
        })?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), checks_clients: client_ca.is_some() })
    }

    /// Whether clients must show a certificate.
    #[must_use]
    pub fn checks_clients(&self) -> bool {
        self.checks_clients
    }

    pub(crate) fn into_config(self) -> Arc<ServerConfig> {
        self.config
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("checks_clients", &self.checks_clients)
            .finish_non_exhaustive()
    }
}

/// `None` if there is none or one cannot be read.
fn read_certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.ok().filter(|read| !read.is_empty())
}
