//! TLS towards servers, as `sslmode` says: whom it trusts, and what it lets pass.

use std::sync::{Arc, Mutex, PoisonError};

use lakebase_core::{SslMode, Tls};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, WantsVerifier,
};

/// Verifies as `tls` says. Sessions are resumed among all users of the result.
///
/// # Errors
///
/// Those of rustls, if its cryptography cannot do what TLS needs.
pub fn client_config(tls: &Tls) -> Result<ClientConfig, Error> {
    match tls.mode {
        SslMode::VerifyFull => {
            Ok(builder()?.with_root_certificates(trusted_roots(tls)).with_no_client_auth())
        }
        _ => Ok(recording_client_config(tls)?.0),
    }
}

/// The same, with a verifier that remembers the last certificates and what was wrong with them.
///
/// # Errors
///
/// Those of [`client_config`].
pub fn recording_client_config(tls: &Tls) -> Result<(ClientConfig, Arc<Verifier>), Error> {
    let roots = Arc::new(trusted_roots(tls));
    let web = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
    let web = web.map_err(|error| Error::General(error.to_string()))?;
    let verifier = Arc::new(Verifier { web, mode: tls.mode, seen: Mutex::default() });
    let custom = Arc::<Verifier>::clone(&verifier);
    let config = builder()?.dangerous().with_custom_certificate_verifier(custom);
    Ok((config.with_no_client_auth(), verifier))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()
}

/// Mozilla's authorities and those of [`Tls::extra_roots`]. What cannot be read among these is left out.
fn trusted_roots(tls: &Tls) -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let extra = tls.extra_roots.as_deref().unwrap_or_default();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(extra).flatten());
    roots
}

/// Whether `mode` accepts this problem, by libpq's meaning of the modes: `verify-ca` accepts any name, weaker
/// modes any certificate whose key the server has.
fn is_allowed(mode: SslMode, problem: &Error) -> bool {
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

/// A server's certificates, its own first, and the error of their verification.
pub type Seen = (Vec<CertificateDer<'static>>, Option<Error>);

/// Verifies certificates, and accepts those that the mode allows all the same.
#[derive(Debug)]
pub struct Verifier {
    web: Arc<WebPkiServerVerifier>,
    mode: SslMode,
    seen: Mutex<Seen>,
}

impl Verifier {
    /// The certificates of the last handshake, and the error of their verification, whether the mode allows it or not. Empty before
    /// the first handshake.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.web.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            (chain, verdict.as_ref().err().cloned());
        match verdict {
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
