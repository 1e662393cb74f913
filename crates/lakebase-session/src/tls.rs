//! TLS towards servers, as `sslmode` says: whom it trusts, and what it lets pass.

use std::sync::Arc;

use lakebase_core::{SslMode, Tls};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// Verifies as `tls` says. Sessions are resumed among all users of the result.
///
/// # Errors
///
/// Those of rustls, if its cryptography cannot do what TLS needs.
pub fn client_config(tls: &Tls) -> Result<ClientConfig, Error> {
    let (provider, roots) = (provider(), trusted_roots(tls));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let config = match tls.mode {
        SslMode::VerifyFull => builder.with_root_certificates(roots).with_no_client_auth(),
        mode => {
            let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
            let web = web.build().map_err(|error| Error::General(error.to_string()))?;
            let verifier = Arc::new(Lenient { web, mode });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(config)
}

/// Mozilla's authorities and those of [`Tls::extra_roots`]. What cannot be read among these is left out.
#[must_use]
pub fn trusted_roots(tls: &Tls) -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let extra = tls.extra_roots.as_deref().unwrap_or_default();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(extra).flatten());
    roots
}

/// Whether a connection may go on with this problem, by libpq's meaning of the modes: `verify-ca` lets any name pass, weaker
/// modes any certificate whose key the server has.
#[must_use]
pub fn is_allowed(mode: SslMode, problem: &Error) -> bool {
    match mode {
        SslMode::VerifyFull => false,
        SslMode::VerifyCa => matches!(
            problem,
            // The name is looked at last, so everything else is right.
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            )
        ),
        _ => matches!(problem, Error::InvalidCertificate(_)),
    }
}

/// Lets pass what the mode allows.
#[derive(Debug)]
struct Lenient {
    web: Arc<WebPkiServerVerifier>,
    mode: SslMode,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.web.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(problem) if is_allowed(self.mode, &problem) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}

/// The one provider of cryptography.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_weaker_modes_go_on_with_a_bad_certificate() {
        let name = Error::InvalidCertificate(CertificateError::NotValidForName);
        let issuer = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let signature = Error::DecryptError;
        for (mode, allowed) in [
            (SslMode::VerifyFull, [false, false, false]),
            (SslMode::VerifyCa, [true, false, false]),
            (SslMode::Require, [true, true, false]),
            (SslMode::Prefer, [true, true, false]),
        ] {
            assert_eq!(
                [&name, &issuer, &signature].map(|problem| is_allowed(mode, problem)),
                allowed
            );
        }
    }
}
