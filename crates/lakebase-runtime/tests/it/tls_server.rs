//! An HTTPS server with a certificate of its own authority.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

type Secured<T> = StreamOwned<ServerConnection, T>;

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Serves `secure` to every request on a loopback port, as `name`, until the process ends.
    pub(crate) fn serve(&self, name: &str) -> SocketAddr {
        let config = self.config(name);
        listen(move |stream| answer(secured(&config, stream)))
    }

    /// The same behind a proxy at the same address, which is spoken to inside TLS, as `proxy`.
    pub(crate) fn serve_behind(&self, proxy: &str, name: &str) -> SocketAddr {
        let (outer, inner) = (self.config(proxy), self.config(name));
        let target = format!("CONNECT {name}:443 HTTP/1.1\r\n");
        listen(move |stream| {
            let mut stream = BufReader::new(secured(&outer, stream));
            if let Some(head) = read_head(&mut stream) {
                assert!(head.starts_with(&target), "{head}");
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                answer(secured(&inner, stream.into_inner()));
            }
        })
    }

    fn config(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Arc::new(config)
    }
}

fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

fn secured<T: Read + Write>(config: &Arc<ServerConfig>, stream: T) -> Secured<T> {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream)
}

/// Ends with an error when the client refuses the certificate.
fn answer<T: Read + Write>(stream: Secured<T>) {
    let mut stream = BufReader::new(stream);
    while let Some(line) = read_head(&mut stream) {
        assert!(line.starts_with("GET / HTTP/1.1"), "{line}");
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecure";
        if stream.get_mut().write_all(reply).is_err() {
            return;
        }
    }
}

fn read_head(reader: &mut impl std::io::BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}
