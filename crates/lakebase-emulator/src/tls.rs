//! Certificates of the gateway and of HTTPS, made anew at every start.

use std::collections::HashMap;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring::{default_provider, sign::any_supported_type};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::Error;
use crate::fault::WrongCertificate;
use crate::world::{INSTANCE_SUFFIX, SUFFIX};

/// Certificates with their keys.
pub(crate) struct Identities {
    /// The authority to trust, as PEM.
    pub(crate) ca_pem: String,
    good: Arc<CertifiedKey>,
    wrong: HashMap<WrongCertificate, Arc<CertifiedKey>>,
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

impl Identities {
    pub(crate) fn generate() -> Result<Self, Error> {
        let make = || -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
            let ca = authority("Lakebase emulator authority")?;
            let hosts = [
                format!("*.{SUFFIX}"),
                format!("*.{INSTANCE_SUFFIX}"),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
            ];
            let good = leaf(&ca, &hosts, false)?;
            let name = leaf(&ca, &["elsewhere.lakebase.test".to_owned()], false)?;
            let expired = leaf(&ca, &hosts, true)?;
            let stranger = leaf(&authority("Somebody else")?, &hosts, false)?;
            let wrong = HashMap::from([
                (WrongCertificate::Name, name),
                (WrongCertificate::Expired, expired),
                (WrongCertificate::Authority, stranger),
            ]);
            Ok(Self { ca_pem: ca.pem(), good, wrong })
        };
        make().map_err(|e| Error::with("cannot make certificates", e))
    }
}

fn authority(name: &str) -> Result<Issuer, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// The name differs from the authority's by more than case, or OpenSSL takes the leaf for self-signed.
fn leaf(
    ca: &Issuer,
    hosts: &[String],
    expired: bool,
) -> Result<Arc<CertifiedKey>, Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Lakebase emulator gateway");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    if expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate()?;
    let certificate: CertificateDer<'static> = params.signed_by(&key, ca)?.into();
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], any_supported_type(&key)?)))
}

/// Says, per host name asked for (`None` without SNI), whether a wrong certificate is to be shown.
pub(crate) type WrongFor = dyn Fn(Option<&str>) -> Option<WrongCertificate> + Send + Sync;

struct Resolver {
    identities: Arc<Identities>,
    wrong_for: Box<WrongFor>,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wrong = (self.wrong_for)(hello.server_name());
        let wrong = wrong.and_then(|wrong| self.identities.wrong.get(&wrong));
        Some(Arc::clone(wrong.unwrap_or(&self.identities.good)))
    }
}

/// A server configuration that offers `alpn` and shows the certificates of `identities`.
pub(crate) fn server_config(
    identities: &Arc<Identities>,
    alpn: &str,
    wrong_for: Box<WrongFor>,
) -> Result<Arc<ServerConfig>, Error> {
    let resolver = Resolver { identities: Arc::clone(identities), wrong_for };
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e: rustls::Error| Error::with("cannot configure TLS", e))?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver));
    // A resumed session shows no certificate, and a wrong one would go unseen.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Ok(Arc::new(config))
}
