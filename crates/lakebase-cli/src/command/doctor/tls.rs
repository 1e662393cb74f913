//! A TLS handshake with the server as the connector's driver would make it, looked at more closely.
//!
//! The request before the handshake is PostgreSQL's `SSLRequest` (its documentation, "Message Formats").

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lakebase::SslMode;
use lakebase::core::Tls;
use lakebase::core::effect::ByteStream;
use lakebase_session::TlsStream;
use lakebase_session::startup::SSL_REQUEST;
use lakebase_session::tls::recording_client_config;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::fault::{Fault, certificate_fault};
use super::report::{Examined, Finding};

/// The longest that the handshake is waited for.
pub(super) const LIMIT: Duration = Duration::from_secs(15);

/// Asks for TLS over `stream` and verifies the server to be `host`, as far as the mode wants it.
pub(super) async fn probe(mut stream: Box<dyn ByteStream>, host: &str, tls: &Tls) -> Examined<()> {
    let broken = |error: io::Error| {
        Finding::new(
            Fault::TlsFailed,
            format!("the connection broke at the request for TLS: {error}"),
        )
    };
    stream.write_all(&SSL_REQUEST).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    match answer[0] {
        b'S' => {}
        b'N' if tls.mode < SslMode::Require => {
            return Ok(((), format!("the server offers none, which sslmode {} allows", tls.mode)));
        }
        b'N' => return Err(Finding::new(Fault::TlsNotOffered, "the server offers none")),
        other => {
            let detail =
                format!("the server answered {other:#04x} to the request for TLS, not S or N");
            return Err(Finding::new(Fault::TlsNotOffered, detail));
        }
    }
    let failed = |detail: String| Finding::new(Fault::TlsFailed, detail);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| failed(format!("{host:?} cannot be verified: {error}")))?;
    let (config, verifier) =
        recording_client_config(tls).map_err(|error| failed(error.to_string()))?;
    let result = TlsStream::connect(stream, Arc::new(config), name).await;
    let (chain, problem) = verifier.seen();
    let chain = describe(&chain);
    match result {
        Ok(stream) => {
            let version = stream.connection().protocol_version();
            let version =
                version.and_then(|version| version.as_str()).unwrap_or("TLS").replace('_', ".");
            let verified = match problem {
                None => "verified".to_owned(),
                Some(problem) => {
                    format!("not verified, as sslmode {} allows ({})", tls.mode, reason(&problem))
                }
            };
            Ok(((), format!("{version}, {verified}; {chain}")))
        }
        Err(error) => {
            let fault = certificate_fault(&error).unwrap_or(Fault::TlsFailed);
            let reason = problem.map_or_else(|| error.to_string(), |problem| reason(&problem));
            let chain = if chain.is_empty() { chain } else { format!("; {chain}") };
            Err(Finding::new(fault, format!("{reason}{chain}")))
        }
    }
}

fn reason(problem: &rustls::Error) -> String {
    match problem {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate's authority is not trusted".to_owned()
        }
        rustls::Error::InvalidCertificate(problem) => problem.to_string(),
        other => other.to_string(),
    }
}

/// The chain of certificates, from the server's upwards.
fn describe(chain: &[CertificateDer<'static>]) -> String {
    let parts = chain.iter().map(|certificate| match X509Certificate::from_der(certificate) {
        Ok((_, certificate)) => {
            let (subject, issuer) = (certificate.subject(), certificate.issuer());
            let until = certificate.validity().not_after;
            let names = names(&certificate);
            format!("{subject}{names}, issued by {issuer}, valid until {until}")
        }
        Err(_) => "an unreadable certificate".to_owned(),
    });
    let text = parts.collect::<Vec<_>>().join("; ");
    if text.is_empty() { text } else { format!("certificate: {text}") }
}

/// The hosts that a certificate is for.
fn names(certificate: &X509Certificate<'_>) -> String {
    use x509_parser::extensions::GeneralName;
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return String::new();
    };
    let names: Vec<&str> = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        })
        .collect();
    if names.is_empty() { String::new() } else { format!(" for {}", names.join(", ")) }
}
