//! Who gets in: TLS towards clients, passwords, certificates, and addresses that others can reach.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use lakebase::ErrorKind;
use lakebase::Secret;
use lakebase_proxy::{Address, ClientTls, Limits, Listener, Proxy};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{
    GSS, Raw, Running, SSL, connector, failure, field, listener, startup, success, within,
};

/// An authority, and what it signed: files as libpq takes them.
struct Files {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Files {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self { folder, authority }
    }

    /// A certificate and its key for `name`, also as files.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        // One that differs from the authority's, or OpenSSL takes the certificate for self-signed.
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.signed_by(&key, &self.authority).unwrap().pem();
        fs::write(self.path(&format!("{name}.pem")), &pem).unwrap();
        let file = self.path(&format!("{name}.key"));
        fs::write(&file, key.serialize_pem()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(file, mode).unwrap();
        (pem, key.serialize_pem())
    }

    /// The client's side of TLS with a server that this authority calls `localhost`.
    async fn handshake(&self, tcp: TcpStream, protocols: Vec<Vec<u8>>) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let mut config = config
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols;
        let name = ServerName::try_from("localhost").unwrap();
        within(TlsConnector::from(Arc::new(config)).connect(name, tcp)).await.unwrap()
    }

    /// TLS with a certificate for `localhost`; clients need one of `authority`, if there is one.
    fn tls(&self, authority: Option<&[u8]>) -> ClientTls {
        let (certificate, key) = self.issue("localhost");
        ClientTls::from_pem(certificate.as_bytes(), key.as_bytes(), authority).unwrap()
    }

    /// A proxy that offers TLS.
    async fn start(&self) -> Running {
        Running::of(listener().tls(self.tls(None))).await
    }

    fn path(&self, name: &str) -> String {
        Path::join(self.folder.path(), name).display().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_may_use_tls_and_need_not() {
    let files = Files::new();
    let proxy = files.start().await;
    for (mode, encrypted) in [("verify-full", "t"), ("disable", "f")] {
        let mut psql = proxy.psql(&["-h", "localhost", "-c", "select 1", "-c", "\\conninfo"]);
        psql.env("PGSSLMODE", mode).env("PGSSLROOTCERT", files.path("ca.pem"));
        let text = success(psql).await;
        assert_eq!(text.contains("SSL connection"), encrypted == "t", "{mode}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_encryption_are_answered_and_not_more_than_once() {
    let proxy = Running::usual().await;
    for order in [[GSS, SSL], [SSL, GSS]] {
        let mut raw = Raw::open(&proxy).await;
        for request in order {
            raw.send(&request).await;
            assert_eq!(raw.byte().await, b'N');
        }
        raw.send(&startup(0, &[("user", "x")])).await;
        assert_eq!(raw.message().await, (b'R', vec![0; 4]));
    }
    for request in [SSL, GSS] {
        let mut raw = Raw::open(&proxy).await;
        raw.send(&request).await;
        assert_eq!(raw.byte().await, b'N');
        raw.send(&request).await;
        assert_eq!(raw.sqlstate().await, "0A000");
    }
    // TLS at once, where none is offered: closed.
    let mut raw = Raw::open(&proxy).await;
    raw.send(&[0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]).await;
    assert!(raw.rest().await.is_empty());
}

/// TLS with the first byte, as libpq 17 does with `sslnegotiation=direct`, which names the protocol by ALPN.
#[tokio::test(flavor = "multi_thread")]
async fn tls_may_begin_at_once_if_it_names_the_protocol() {
    let files = Files::new();
    let proxy = files.start().await;
    for (protocols, expected) in [(vec![b"postgresql".to_vec()], Some(b'R')), (vec![], None)] {
        let tcp = TcpStream::connect(proxy.tcp()).await.unwrap();
        let mut stream = files.handshake(tcp, protocols).await;
        stream.write_all(&startup(0, &[("user", "somebody")])).await.unwrap();
        assert_eq!(within(stream.read_u8()).await.ok(), expected);
    }
}

/// What `ProcessStartupPacket` of PostgreSQL 18 does inside TLS; without a server to compare with, as Unix sockets have none.
#[tokio::test(flavor = "multi_thread")]
async fn first_packets_inside_tls_are_dealt_with_as_by_postgres() {
    let files = Files::new();
    let proxy = files.start().await;
    let nobody = startup(0, &[]);
    for (asks, bytes, answer) in [
        (true, &SSL[..], "0A000"),
        (true, &GSS, "0A000"),
        (true, &nobody, "28000"),
        (true, b"X\0\0\0\x04", ""),
        (true, b"GET / HTTP/1.1\r\n\r\n", ""),
        (false, &SSL, "N"),
        (false, &GSS, "N"),
        (false, &nobody, "28000"),
        (false, b"GET / HTTP/1.1\r\n\r\n", ""),
    ] {
        let mut raw = Raw::open(&proxy).await;
        if asks {
            raw.send(&SSL).await;
            assert_eq!(raw.byte().await, b'S');
        }
        let mut stream = files.handshake(raw.0, vec![b"postgresql".to_vec()]).await;
        stream.write_all(bytes).await.unwrap();
        if answer == "N" {
            assert_eq!(within(stream.read_u8()).await.unwrap(), b'N');
            continue;
        }
        let mut said = Vec::new();
        within(stream.read_to_end(&mut said)).await.unwrap();
        let found = said.get(5..).map(|body| field(body, b'C')).unwrap_or_default();
        assert_eq!(found, answer, "{}", bytes.escape_ascii());
    }
    assert_eq!(proxy.monitor.stats().logins, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_before_tls_stands_is_not_believed() {
    let files = Files::new();
    let proxy = files.start().await;
    let mut raw = Raw::open(&proxy).await;
    let injected = startup(0, &[("user", "x")]);
    raw.send(&[&SSL[..], &injected].concat()).await;
    assert_eq!(raw.byte().await, b'S');
    let rest = raw.rest().await;
    assert_ne!(rest.first(), Some(&b'R'), "{rest:?}");
    assert_eq!(proxy.monitor.stats().logins, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_by_scram() {
    let proxy = Running::of(listener().password(Secret::new("open sesame"))).await;
    let psql = |password: &str| {
        let mut psql = proxy.psql(&["-w", "-c", "select 1"]);
        psql.env("PGPASSWORD", password);
        psql
    };
    assert_eq!(success(psql("open sesame")).await, "1");
    let error = failure(psql("open sesamE")).await;
    assert!(error.contains("password authentication failed"), "{error}");
    let error = failure(proxy.psql(&["-w", "-c", "select 1"])).await;
    assert!(error.contains("no password supplied"), "{error}");
    assert_eq!(proxy.monitor.stats().logins, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_clients_are_checked() {
    let (files, strangers) = (Files::new(), Files::new());
    files.issue("friend");
    strangers.issue("stranger");
    let ca = fs::read(files.path("ca.pem")).unwrap();
    let proxy = Running::of(listener().tls(files.tls(Some(&ca)))).await;
    let psql = |mode: &str, shown: Option<(&Files, &str)>| {
        let mut psql = proxy.psql(&["-h", "localhost", "-c", "select 1"]);
        psql.env("PGSSLMODE", mode).env("PGSSLROOTCERT", files.path("ca.pem"));
        if let Some((files, name)) = shown {
            psql.env("PGSSLCERT", files.path(&format!("{name}.pem")));
            psql.env("PGSSLKEY", files.path(&format!("{name}.key")));
        }
        psql
    };
    assert_eq!(success(psql("verify-full", Some((&files, "friend")))).await, "1");
    failure(psql("verify-full", Some((&strangers, "stranger")))).await;
    failure(psql("verify-full", None)).await;
    let error = failure(psql("disable", None)).await;
    assert!(error.contains("client certificate"), "{error}");
    assert_eq!(proxy.monitor.stats().logins, 1);
}

#[tokio::test]
async fn other_machines_are_let_in_only_by_name_and_with_proof() {
    let everywhere =
        || Listener::new(Address::Tcp(SocketAddr::from(([0, 0, 0, 0], 0))), connector());
    let bind = async |listener: Listener| Proxy::bind([listener], Limits::default()).await;
    let error = bind(everywhere().password(Secret::new("x"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("other machines"), "{error}");
    let error = bind(everywhere().allow_remote(true)).await.unwrap_err();
    assert!(error.to_string().contains("needs a password or client certificates"), "{error}");
    let tls = Files::new().tls(None);
    let error = bind(everywhere().allow_remote(true).tls(tls)).await.unwrap_err();
    assert!(error.to_string().contains("needs a password or client certificates"), "{error}");
    bind(everywhere().allow_remote(true).password(Secret::new("x"))).await.unwrap();
}

#[test]
fn certificates_that_do_not_fit_are_refused() {
    let files = Files::new();
    let ((certificate, _), (_, key)) = (files.issue("a.example"), files.issue("b.example"));
    for (certificate, key) in [("", key.as_str()), (&certificate, ""), (&certificate, &key)] {
        let error = ClientTls::from_pem(certificate.as_bytes(), key.as_bytes(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(key.is_empty() || !error.report().contains(key), "{error}");
    }
}
