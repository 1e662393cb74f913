//! Small clients for what the emulator serves: Postgres over TLS, and HTTP.

use std::sync::Arc;

use lakebase_emulator::{Description, Emulator};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

pub(crate) fn tls(ca_pem: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Why a login or a statement failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// SQLSTATE, message and detail.
    Server(String, String, String),
    Transport(String),
}

impl Failure {
    pub(crate) fn sqlstate(&self) -> &str {
        match self {
            Self::Server(code, ..) => code,
            Self::Transport(_) => "",
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Server(_, text, _) | Self::Transport(text) => text,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Transport(error.to_string())
    }
}

/// What to log in with.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) port: u16,
    pub(crate) host: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) options: String,
    pub(crate) direct: bool,
    pub(crate) ca_pem: String,
}

impl Login {
    /// The native role at the read-write endpoint.
    pub(crate) fn native(emulator: &Emulator) -> Self {
        let d = emulator.description();
        Self {
            port: d.pg_port,
            host: d.pg_host.clone(),
            user: d.password_user.clone(),
            password: d.password.clone(),
            database: d.database.clone(),
            options: String::new(),
            direct: false,
            ca_pem: emulator.ca_pem().to_owned(),
        }
    }

    pub(crate) fn at(mut self, host: Option<String>) -> Self {
        self.host = host.expect("endpoint exists");
        self
    }

    pub(crate) fn with(mut self, user: &str, password: &str) -> Self {
        self.user = user.to_owned();
        self.password = password.to_owned();
        self
    }

    /// Why it does not get in.
    pub(crate) async fn refused(&self) -> Failure {
        self.connect().await.err().expect("the login is refused")
    }

    pub(crate) async fn connect(&self) -> Result<Session, Failure> {
        let mut tcp = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let mut config = tls(&self.ca_pem);
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        } else {
            assert_eq!(ask(&mut tcp, 80_877_103).await?, b'S');
        }
        let name = ServerName::try_from(self.host.clone()).expect("host name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        let mut session = Session { stream, pid: 0, secret: 0 };
        let mut parameters =
            vec![("user", self.user.as_str()), ("database", self.database.as_str())];
        if !self.options.is_empty() {
            parameters.push(("options", &self.options));
        }
        session.stream.write_all(&startup(&parameters)).await?;
        loop {
            match session.read().await? {
                (b'R', body) if body == [0, 0, 0, 3] => {
                    let mut password = self.password.clone().into_bytes();
                    password.push(0);
                    session.write(b'p', &password).await?;
                }
                (b'K', body) => {
                    session.pid = u32::from_be_bytes(body[..4].try_into().unwrap());
                    session.secret = u32::from_be_bytes(body[4..8].try_into().unwrap());
                }
                (b'Z', _) => return Ok(session),
                _ => {}
            }
        }
    }
}

/// A session at the gateway.
pub(crate) struct Session {
    stream: TlsStream<TcpStream>,
    pub(crate) pid: u32,
    pub(crate) secret: u32,
}

impl Session {
    /// The first column of the first row, as text.
    pub(crate) async fn query(&mut self, statement: &str) -> Result<String, Failure> {
        let mut text = statement.as_bytes().to_vec();
        text.push(0);
        self.write(b'Q', &text).await?;
        let mut answer = String::new();
        let mut failure = None;
        loop {
            match self.read().await {
                Ok((b'D', body)) => {
                    let length = u32::from_be_bytes(body[2..6].try_into().unwrap());
                    let end = 6 + usize::try_from(length).unwrap();
                    answer = String::from_utf8(body[6..end].to_vec()).unwrap();
                }
                Ok((b'Z', _)) => return failure.map_or(Ok(answer), Err),
                Ok(_) => {}
                Err(error @ Failure::Server(..)) if error.sqlstate() != "57P01" => {
                    failure = Some(error)
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One message, or what it says when it is an error.
    pub(crate) async fn read(&mut self) -> Result<(u8, Vec<u8>), Failure> {
        let kind = self.stream.read_u8().await?;
        let length = self.stream.read_u32().await?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.stream.read_exact(&mut body).await?;
        if kind != b'E' {
            return Ok((kind, body));
        }
        Err(failure(&body))
    }

    async fn write(&mut self, kind: u8, body: &[u8]) -> Result<(), Failure> {
        let mut message = vec![kind];
        message.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        message.extend(body);
        Ok(self.stream.write_all(&message).await?)
    }
}

pub(crate) fn failure(body: &[u8]) -> Failure {
    let field = |kind: u8| {
        let mut fields = body.split(|b| *b == 0).filter_map(|field| field.strip_prefix(&[kind]));
        fields.next().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    Failure::Server(field(b'C'), field(b'M'), field(b'D'))
}

pub(crate) fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut packet = 196_608u32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        packet.extend(name.bytes().chain([0]).chain(value.bytes()).chain([0]));
    }
    packet.push(0);
    let length = u32::try_from(packet.len() + 4).unwrap();
    [length.to_be_bytes().to_vec(), packet].concat()
}

/// Sends a request without parameters and reads the one byte of answer.
pub(crate) async fn ask(tcp: &mut TcpStream, code: u32) -> std::io::Result<u8> {
    tcp.write_all(&[8u32.to_be_bytes(), code.to_be_bytes()].concat()).await?;
    tcp.read_u8().await
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The status and the code of a refusal by the Data API.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// One request; an error when the connection ends early.
pub(crate) async fn http(
    description: &Description,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> std::io::Result<Answer> {
    http_with(description, method, path, token, &[], body).await
}

/// The same with more headers, one of which may be `host`.
pub(crate) async fn http_with(
    description: &Description,
    method: &str,
    path: &str,
    token: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Answer> {
    let address = description.host.strip_prefix("http://").expect("plain HTTP");
    let stream = TcpStream::connect(address).await?;
    exchange_with(stream, method, path, token, headers, body).await
}

pub(crate) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> std::io::Result<Answer> {
    exchange_with(stream, method, path, token, &[], body).await
}

async fn exchange_with(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    token: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Answer> {
    let length = body.len();
    let host =
        headers.iter().find(|(name, _)| *name == "host").map_or("localhost", |(_, host)| host);
    let more: String = headers
        .iter()
        .filter(|(name, _)| *name != "host")
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n{more}\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer).map_err(std::io::Error::other)?;
    let early = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(early)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(early)?;
    let announced =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    if announced.is_some_and(|announced: usize| announced != body.len()) {
        return Err(early());
    }
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// A workspace token of the service principal.
pub(crate) async fn workspace_token(d: &Description) -> String {
    let (id, secret) = (&d.client_id, &d.client_secret);
    let grant = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let answer = http(d, "POST", "/oidc/v1/token", "", &grant).await.unwrap();
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// A database credential for the identity behind `token`.
pub(crate) async fn credential(emulator: &Emulator, token: &str) -> String {
    let d = emulator.description();
    let body = serde_json::json!({ "endpoint": d.endpoint }).to_string();
    let answer = http(d, "POST", "/api/2.0/postgres/credentials", token, &body).await.unwrap();
    answer.json()["token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}
