//! The way to the server: its addresses by both resolvers, its port, its certificate.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lakebase::core::connect::{Connector, ConnectorConfig};
use lakebase::core::effect::{ByteStream, DialTarget, Route};
use lakebase::core::{HostResolver, Tls};
use lakebase::{Lakebase, SslMode};
use lakebase_runtime::TokioIo;
use tokio::net::TcpStream;

use super::fault::Fault;
use super::report::{Examined, Finding, Report};
use super::tls;

/// The longest that one address is waited for.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// The longest that one resolver is waited for.
const RESOLVE_LIMIT: Duration = Duration::from_secs(10);

const NO_ADDRESS: &str = "the host has no address";
const UNREACHABLE: &str = "the server cannot be reached";

type Stream = Box<dyn ByteStream>;

/// The reason why no login is possible.
type Obstacle = Option<&'static str>;

/// Goes the way to `host`.
pub(super) async fn examine(
    report: &mut Report<'_>,
    lakebase: &Lakebase,
    host: &str,
) -> io::Result<Obstacle> {
    let connector = lakebase.connector();
    let config = connector.config();
    let route = connector.runtime().dial.route(host, config.port);
    let addresses = match &route {
        Err(error) => {
            let finding = Finding::new(Fault::Configuration, error.report());
            report.step("host", async { Err(finding) }).await?
        }
        _ if !config.addresses.is_empty() => {
            let why = format!("the address is configured: {}", list(&config.addresses));
            report.skip(&["host"], &why)?;
            Some(config.addresses.clone())
        }
        Ok(Route::Proxy { name, looks_up: true }) => {
            report.skip(&["host"], &format!("it is looked up by the proxy {name}"))?;
            Some(Vec::new())
        }
        _ => report.step("host", resolve(connector, host)).await?,
    };
    let Some(addresses) = addresses else {
        report.skip(&["tcp", "tls"], NO_ADDRESS)?;
        return Ok(Some(NO_ADDRESS));
    };
    let reached = match &route {
        Ok(Route::Proxy { name, .. }) => {
            report.step("tcp", through(connector, host, &addresses, name)).await?
        }
        _ => report.step("tcp", connect(connector, &addresses, config.port)).await?,
    };
    let Some(stream) = reached else {
        report.skip(&["tls"], UNREACHABLE)?;
        return Ok(Some(UNREACHABLE));
    };
    if connector.ssl_mode_to(host) == SslMode::Disable {
        report.skip(&["tls"], "sslmode is disable")?;
        return Ok(None);
    }
    let verified = report.step("tls", handshake(connector, stream, host)).await?;
    Ok(if verified.is_some() { None } else { Some("there is no safe connection to the server") })
}

/// The same for a server with a Unix socket.
pub(super) async fn examine_socket(
    report: &mut Report<'_>,
    config: &ConnectorConfig,
) -> io::Result<Obstacle> {
    report.skip(&["host"], "a Unix socket needs none")?;
    let reached = report.step("tcp", socket(config)).await?;
    report.skip(&["tls"], "a Unix socket stays on this machine")?;
    Ok(if reached.is_some() { None } else { Some(UNREACHABLE) })
}

#[cfg(unix)]
async fn socket(config: &ConnectorConfig) -> Examined<()> {
    let folder = config.socket_directory.clone().unwrap_or_default();
    let path = lakebase::core::connect::socket_path(&folder, config.port);
    match tokio::net::UnixStream::connect(&path).await {
        Ok(_) => Ok(((), format!("not TCP, but the Unix socket {}", path.display()))),
        Err(error) => {
            let detail = format!("{}: {error}", path.display());
            Err(Finding::new(Fault::PortUnreachable, detail))
        }
    }
}

#[cfg(not(unix))]
async fn socket(_: &ConnectorConfig) -> Examined<()> {
    let detail = "this platform has no Unix sockets; set PGHOST to a name or address";
    Err(Finding::new(Fault::Configuration, detail))
}

/// Asks both resolvers, although the connector asks the second one only if the first fails.
async fn resolve(connector: &Connector, host: &str) -> Examined<Vec<IpAddr>> {
    let runtime = connector.runtime();
    let direct = async {
        match &runtime.fallback_hosts {
            Some(resolver) => Some(ask(connector, &**resolver, host).await),
            None => None,
        }
    };
    let (system, direct) = tokio::join!(ask(connector, &*runtime.hosts, host), direct);
    let said = |answer: &Result<Vec<IpAddr>, String>| match answer {
        Ok(addresses) => list(addresses),
        Err(problem) => problem.clone(),
    };
    let mut detail = format!("{host}; the system's resolver: {}", said(&system));
    if let Some(direct) = &direct {
        detail.push_str(&format!("; direct DNS: {}", said(direct)));
    }
    match (system, direct) {
        (Ok(addresses), _) | (Err(_), Some(Ok(addresses))) => Ok((addresses, detail)),
        _ => Err(Finding::new(Fault::DnsFailed, detail)),
    }
}

async fn ask(
    connector: &Connector,
    resolver: &dyn HostResolver,
    host: &str,
) -> Result<Vec<IpAddr>, String> {
    match connector.within(RESOLVE_LIMIT, resolver.resolve(host)).await {
        Some(answer) => answer.map_err(|error| format!("failed ({})", error.report())),
        None => Err(format!("no answer within {} s", RESOLVE_LIMIT.as_secs())),
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The first of `addresses` that accepts a connection.
async fn connect(connector: &Connector, addresses: &[IpAddr], port: u16) -> Examined<Stream> {
    let mut problems = Vec::new();
    for address in addresses {
        let place = SocketAddr::new(*address, port);
        match connector.within(CONNECT_LIMIT, TcpStream::connect(place)).await {
            Some(Ok(stream)) => {
                problems.push(format!("{place} accepts connections"));
                return Ok((Box::new(TokioIo(stream)), problems.join("; ")));
            }
            Some(Err(error)) => problems.push(format!("{place}: {error}")),
            None => {
                problems.push(format!("{place}: no answer within {} s", CONNECT_LIMIT.as_secs()))
            }
        }
    }
    Err(Finding::new(Fault::PortUnreachable, problems.join("; ")))
}

/// The way that the proxy `name` opens.
async fn through(
    connector: &Connector,
    host: &str,
    addresses: &[IpAddr],
    name: &str,
) -> Examined<Stream> {
    let config = connector.config();
    let target = DialTarget {
        host,
        addresses,
        port: config.port,
        tcp: config.tcp,
        load_balance_hosts: config.load_balance_hosts,
        timeout: CONNECT_LIMIT,
    };
    match connector.runtime().dial.dial(target).await {
        Ok(dialed) => {
            let place = dialed
                .peer
                .map_or_else(|| format!("{host}:{}", config.port), |peer| peer.to_string());
            Ok((dialed.stream, format!("{place} accepts connections through the proxy {name}")))
        }
        Err(error) => {
            let fault = Fault::at_proxy(&error).unwrap_or(Fault::PortUnreachable);
            Err(Finding::new(fault, error.report()))
        }
    }
}

async fn handshake(connector: &Connector, stream: Stream, host: &str) -> Examined<()> {
    let tls = Tls { mode: connector.ssl_mode_to(host), ..connector.config().tls.clone() };
    let probe = tls::probe(stream, host, &tls);
    connector.within(tls::LIMIT, probe).await.unwrap_or_else(|| {
        let detail = format!("the server did not answer within {} s", tls::LIMIT.as_secs());
        Err(Finding::new(Fault::TlsFailed, detail))
    })
}
