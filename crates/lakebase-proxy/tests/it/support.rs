//! A proxy that ends with its test, and clients that speak bytes.

use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use lakebase::Lakebase;
use lakebase::core::Environment;
use lakebase::core::connect::Connector;
use lakebase_emulator::{Emulator, EndpointKind};
use lakebase_proxy::{Address, Drained, Limits, Listener, Monitor, PoolStats, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The emulator of tests that change nothing in it.
pub(crate) fn shared() -> &'static Emulator {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    EMULATOR.get_or_init(|| Emulator::builder().start().unwrap())
}

/// A read-write endpoint of the shared emulator that no other test knows.
pub(crate) fn own_endpoint(name: &str) -> String {
    let name = format!("projects/{name}/branches/production/endpoints/{name}");
    shared().add_endpoint(&name, EndpointKind::ReadWrite).unwrap();
    name
}

/// What logs in at the shared emulator as the service principal.
pub(crate) fn connector() -> Connector {
    connector_to(&shared().description().endpoint, &[])
}

/// The same at another of its endpoints, with more in the environment.
pub(crate) fn connector_to(endpoint: &str, more: &[(&str, &str)]) -> Connector {
    let it = shared().description();
    let port = it.pg_port.to_string();
    let variables = [
        ("DATABRICKS_HOST", it.host.as_str()),
        ("DATABRICKS_CLIENT_ID", &it.client_id),
        ("DATABRICKS_CLIENT_SECRET", &it.client_secret),
        ("LAKEBASE_ENDPOINT", endpoint),
        ("LAKEBASE_DNS", &it.dns),
        ("PGPORT", &port),
    ];
    let environment = Environment::from_pairs(variables.into_iter().chain(more.iter().copied()));
    let builder = Lakebase::builder().environment(environment);
    let lakebase = builder.root_certificates(shared().ca_pem().to_owned()).build().unwrap();
    lakebase.connector().clone()
}

/// A loopback address with a port that the system chooses.
pub(crate) fn loopback() -> Address {
    Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// A listener on loopback, in front of the shared emulator.
pub(crate) fn listener() -> Listener {
    Listener::new(loopback(), connector())
}

/// The same in front of this endpoint.
pub(crate) fn listener_to(endpoint: &str) -> Listener {
    Listener::new(loopback(), connector_to(endpoint, &[]))
}

/// A running proxy.
pub(crate) struct Running {
    pub(crate) addresses: Vec<Address>,
    pub(crate) monitor: Monitor,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Drained>,
}

impl Running {
    pub(crate) async fn start(
        listeners: impl IntoIterator<Item = Listener>,
        limits: Limits,
    ) -> Self {
        let proxy = Proxy::bind(listeners, limits).await.unwrap();
        let (addresses, monitor) = (proxy.addresses().unwrap(), proxy.monitor());
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(proxy.run(shutdown));
        Self { addresses, monitor, stop, task }
    }

    /// One listener, with the usual limits.
    pub(crate) async fn of(listener: Listener) -> Self {
        Self::start([listener], Limits::default()).await
    }

    /// The usual listener.
    pub(crate) async fn usual() -> Self {
        Self::of(listener()).await
    }

    /// How the pool of the first listener is doing.
    pub(crate) fn pool(&self) -> PoolStats {
        self.monitor.pools().remove(0).unwrap()
    }

    /// Has the proxy deal with a cancel request, to which nobody gets an answer.
    pub(crate) async fn cancel(&self, key: &[u8]) {
        let mut raw = Raw::open(self).await;
        raw.send(&with_length(&[&80_877_102_u32.to_be_bytes()[..], key].concat())).await;
        assert!(raw.rest().await.is_empty());
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        match self.addresses[0] {
            Address::Tcp(address) => address,
            Address::Unix(..) => panic!("the first listener is a Unix socket"),
        }
    }

    /// Asks for the end.
    pub(crate) fn stop(self) -> JoinHandle<Drained> {
        let Self { stop, task, .. } = self;
        stop.send(()).unwrap();
        task
    }

    /// psql on the first listener, with nothing of the test's environment.
    pub(crate) fn psql(&self, arguments: &[&str]) -> Command {
        let port = self.tcp().port().to_string();
        let mut command = program("psql");
        command.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port]);
        command.args(arguments);
        command
    }
}

/// A program of PostgreSQL, killed with its handle.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("PGUSER", "somebody");
    command.env("HOME", "/nonexistent").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Standard output of a program that must succeed.
pub(crate) async fn success(mut command: Command) -> String {
    let Output { status, stdout, stderr } = within(command.output()).await.unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(status.success(), "{stdout}{stderr}");
    stdout.trim_end().to_owned()
}

/// Standard error of a program that must fail.
pub(crate) async fn failure(mut command: Command) -> String {
    let output = within(command.output()).await.unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The result of `work`, which must not take longer than a minute.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("not done within a minute")
}

/// Waits until `fulfilled`.
pub(crate) async fn until(what: &str, mut fulfilled: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if fulfilled() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain until {what}");
}

/// A start-up packet of protocol 3.`minor`.
pub(crate) fn startup(minor: u16, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = [&[0, 3], &minor.to_be_bytes()[..]].concat();
    for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
        body.extend(text.bytes());
        body.push(0);
    }
    body.push(0);
    with_length(&body)
}

pub(crate) fn with_length(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body].concat()
}

/// `SSLRequest` and `GSSENCRequest`.
pub(crate) const SSL: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
pub(crate) const GSS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];
pub(crate) const TERMINATE: &[u8] = b"X\0\0\0\x04";

pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &with_length(body)].concat()
}

pub(crate) fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), &[0]].concat())
}

/// The key in `BackendKeyData`.
pub(crate) fn key(greeting: &[(u8, Vec<u8>)]) -> Vec<u8> {
    greeting.iter().find(|(kind, _)| *kind == b'K').unwrap().1.clone()
}

/// A connection on which the test speaks for itself.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn open(proxy: &Running) -> Self {
        Self(TcpStream::connect(proxy.tcp()).await.unwrap())
    }

    /// One that has sent its start-up packet.
    pub(crate) async fn start(proxy: &Running, parameters: &[(&str, &str)]) -> Self {
        let mut raw = Self::open(proxy).await;
        raw.send(&startup(0, parameters)).await;
        raw
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn byte(&mut self) -> u8 {
        within(self.0.read_u8()).await.unwrap()
    }

    /// The next message: its type and body.
    pub(crate) async fn message(&mut self) -> (u8, Vec<u8>) {
        let kind = self.byte().await;
        let length = within(self.0.read_u32()).await.unwrap();
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        within(self.0.read_exact(&mut body)).await.unwrap();
        (kind, body)
    }

    /// The SQLSTATE of the next message, which must be an `ErrorResponse`.
    pub(crate) async fn sqlstate(&mut self) -> String {
        let (kind, body) = self.message().await;
        assert_eq!(kind, b'E');
        field(&body, b'C')
    }

    /// Messages up to and with the first of `kind`.
    pub(crate) async fn messages_until(&mut self, kind: u8) -> Vec<(u8, Vec<u8>)> {
        let mut all = Vec::new();
        loop {
            all.push(self.message().await);
            if all.last().unwrap().0 == kind {
                return all;
            }
        }
    }

    /// Everything until the other side closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = within(self.0.read_to_end(&mut rest)).await;
        rest
    }

    pub(crate) async fn query(&mut self, sql: &str) {
        self.send(&query(sql)).await;
    }

    /// A session of protocol 3.`minor`: everything that the proxy said.
    pub(crate) async fn session(proxy: &Running, minor: u16) -> (Self, Vec<(u8, Vec<u8>)>) {
        let mut raw = Self::open(proxy).await;
        raw.send(&startup(minor, &[("user", "somebody")])).await;
        let greeting = raw.messages_until(b'Z').await;
        (raw, greeting)
    }
}

/// The value of a field of an `ErrorResponse`.
pub(crate) fn field(body: &[u8], kind: u8) -> String {
    let mut fields = body.split(|byte| *byte == 0);
    let found = fields.find(|field| field.first() == Some(&kind)).expect("the field is there");
    String::from_utf8(found[1..].to_vec()).unwrap()
}
