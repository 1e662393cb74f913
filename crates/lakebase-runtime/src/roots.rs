//! Trusted certificates in the form that database drivers take.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use crate::Options;

/// The platform's certificates and those of [`Options::root_certificates_pem`] that are not among Mozilla's
/// roots, as PEM; `None` if there are none.
///
/// For database drivers that verify against Mozilla's roots and take further ones as PEM: what they would
/// otherwise have to read again for every connection is as short as possible. Reads the platform's store
/// (or the file that `SSL_CERT_FILE` names) at each call, which blocks for some milliseconds; call it once
/// and keep the result. Certificates that cannot be read are left out.
#[must_use]
pub fn extra_roots_pem(options: &Options) -> Option<Bytes> {
    let native = rustls_native_certs::load_native_certs().certs;
    unknown_as_pem(native.iter().chain(options.roots.iter()), webpki_roots::TLS_SERVER_ROOTS)
}

fn unknown_as_pem<'a>(
    certificates: impl Iterator<Item = &'a CertificateDer<'static>>,
    known: &[TrustAnchor<'_>],
) -> Option<Bytes> {
    let mut pem = String::new();
    for certificate in certificates {
        let mut store = RootCertStore::empty();
        if store.add(certificate.clone()).is_err() {
            continue;
        }
        let is_known = store.roots.iter().all(|root| {
            let same = |other: &TrustAnchor<'_>| {
                *other.subject == *root.subject
                    && *other.subject_public_key_info == *root.subject_public_key_info
            };
            known.iter().any(same)
        });
        if !is_known {
            push_pem(&mut pem, certificate);
        }
    }
    (!pem.is_empty()).then(|| Bytes::from(pem))
}

fn push_pem(out: &mut String, certificate: &[u8]) {
    // 48 bytes are the 64 characters of one line.
    out.push_str("-----BEGIN CERTIFICATE-----\n");
    for line in certificate.chunks(48) {
        STANDARD.encode_string(line, out);
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject;

    fn certificate(name: &str) -> CertificateDer<'static> {
        rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.der().clone()
    }

    #[test]
    fn writes_only_what_is_not_known_and_reads_back() {
        let (a, b) = (certificate("a.example"), certificate("b.example"));
        let broken = CertificateDer::from(vec![1, 2, 3]);
        let mut known = RootCertStore::empty();
        known.add(a.clone()).unwrap();
        let pem = unknown_as_pem([&a, &b, &broken].into_iter(), &known.roots).unwrap();
        let read: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, [b]);
        assert!(unknown_as_pem([&a].into_iter(), &known.roots).is_none());
    }

    #[test]
    fn extra_certificates_are_among_the_roots() {
        let pem = rcgen::generate_simple_self_signed(["c.example".to_owned()]).unwrap().cert.pem();
        let options = Options::new().root_certificates_pem(&pem).unwrap();
        let extra = extra_roots_pem(&options).unwrap();
        let found =
            CertificateDer::pem_slice_iter(&extra).any(|read| *read.unwrap() == *options.roots[0]);
        assert!(found);
    }
}
