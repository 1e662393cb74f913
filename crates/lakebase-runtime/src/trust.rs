//! The trust of HTTPS: one rustls configuration, made once per constructed runtime and shared by its clients.

use std::fmt;
use std::sync::{Arc, OnceLock};

use lakebase_core::{Error, ErrorKind, Result};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_native_certs};

use crate::Options;

/// The roots of one runtime; the platform's are read at the first use.
pub(crate) struct Roots {
    extra: Arc<[CertificateDer<'static>]>,
    built: OnceLock<Result<Built>>,
}

struct Built {
    config: Arc<ClientConfig>,
    /// Why some of the platform's certificates are missing; empty if none is.
    problems: String,
}

impl Roots {
    pub(crate) fn new(options: &Options) -> Self {
        Self { extra: Arc::clone(&options.roots), built: OnceLock::new() }
    }

    /// The configuration; blocks for some milliseconds at the first call.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>> {
        match self.built.get_or_init(|| build(&self.extra, load_native_certs())) {
            Ok(built) => Ok(Arc::clone(&built.config)),
            Err(error) => Err(error.clone()),
        }
    }

    /// Adds to a failure of TLS with `host` what may be behind it: certificates that could not be read.
    pub(crate) fn explain(&self, host: &str, error: Error) -> Error {
        match self.built.get() {
            Some(Ok(built)) if error.kind() == ErrorKind::Tls && !built.problems.is_empty() => {
                let problems = &built.problems;
                error.context(format!(
                    "could not set up TLS with {host}; some trusted certificates are missing, as they could \
                     not be read (from SSL_CERT_FILE if set, else from the platform): {problems}"
                ))
            }
            _ => error,
        }
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("extra", &self.extra.len()).finish_non_exhaustive()
    }
}

fn build(extra: &[CertificateDer<'static>], native: CertificateResult) -> Result<Built> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // An unreadable store or certificate of the platform is no reason to refuse public servers.
    store.add_parsable_certificates(native.certs);
    store.add_parsable_certificates(extra.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Tls, "could not set up TLS").with_source(error))?
        .with_root_certificates(store)
        .with_no_client_auth();
    let problems = native.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Ok(Built { config: Arc::new(config), problems })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_tls_mention_certificates_that_could_not_be_read() {
        let missing =
            rustls_native_certs::load_certs_from_paths(Some("/no/such/ca.pem".as_ref()), None);
        let roots = Roots::new(&Options::new());
        assert!(roots.built.set(build(&[], missing)).is_ok());
        let explain =
            |kind| roots.explain("w.example", Error::new(kind, "unknown issuer")).report();
        let report = explain(ErrorKind::Tls);
        for part in ["w.example", "SSL_CERT_FILE", "/no/such/ca.pem", "unknown issuer"] {
            assert!(report.contains(part), "{report}");
        }
        assert_eq!(explain(ErrorKind::Unavailable), "unknown issuer");
        assert!(roots.config().is_ok());
    }

    #[test]
    fn nothing_is_said_when_everything_was_read() {
        let roots = Roots::new(&Options::new());
        assert!(roots.built.set(build(&[], CertificateResult::default())).is_ok());
        let error = Error::new(ErrorKind::Tls, "unknown issuer");
        assert!(roots.explain("w.example", error.clone()).is_same(&error));
    }
}
