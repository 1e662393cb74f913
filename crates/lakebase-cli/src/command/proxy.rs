//! `lakebase proxy`: a local address for clients that know nothing of tokens.

mod admin;
mod health;
mod pools;
mod served;
mod systemd;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use lakebase::core::Target;
use lakebase::core::connect::{Connector, Sources};
use lakebase::{Access, Lakebase, Secret};
use lakebase_proxy::{Address, ClientTls, Limits, Listener, PoolOptions, Proxy, Route};
use serde::Serialize;
use tokio::task::JoinSet;

use self::admin::{Admin, Watched};
use self::served::Served;
use crate::cli::{Global, Proxy as Arguments};
use crate::output::{note, print_json};
use crate::settings::{lakebase, lakebase_at};
use crate::signals::signals;

/// The port of Unix sockets, which clients take for granted.
const UNIX_PORT: u16 = 5432;

/// The form of `--json`: one line when everything listens.
#[derive(Serialize)]
struct Ready {
    listeners: Vec<ReadyListener>,
    /// Where metrics and probes are.
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<String>,
}

/// The address for clients, as libpq takes it: `host` may be a folder.
#[derive(Serialize)]
struct ReadyListener {
    host: String,
    port: u16,
    target: String,
    read_only: bool,
}

/// A listener as the flags say it.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    address: Address,
    target: Option<Target>,
    read_only: bool,
}

pub(crate) async fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<i32> {
    let wanted = wanted(arguments)?;
    // First of all, so that nothing is done that is not counted.
    let admin = match &arguments.admin {
        None => None,
        Some(text) => {
            let address = address(text)
                .with_context(|| format!("--admin {text:?}: accepted: ADDRESS:PORT or PORT"))?;
            Some(Admin::bind(address, arguments.admin_allow_remote).await?)
        }
    };
    let mut targets = Targets::new(global, &wanted)?;
    let routes = routes(arguments)?;
    let (password, tls, pool) = (password(arguments)?, tls(arguments)?, pool(arguments)?);
    let mut listeners = Vec::new();
    for one in &wanted {
        let connector = targets.connector(one.target.as_ref(), one.read_only)?;
        let mut listener =
            Listener::new(one.address.clone(), connector).allow_remote(arguments.allow_remote);
        for (route, target) in &routes {
            let connector = targets.connector(Some(target), one.read_only)?;
            listener = listener.route(route.clone(), connector);
        }
        if let Some(pool) = pool {
            listener = listener.pool(pool);
        }
        if let Some(password) = &password {
            listener = listener.password(password.clone());
        }
        if let (Some(tls), Address::Tcp(_)) = (&tls, &one.address) {
            listener = listener.tls(tls.clone());
        }
        listeners.push(listener);
    }
    let limits = Limits {
        max_connections: usize::try_from(arguments.max_connections)?,
        startup_timeout: Duration::from_secs(arguments.startup_timeout),
        drain_timeout: Duration::from_secs(arguments.drain_timeout),
    };
    // Before the proxy says that it is ready, after which a signal may come.
    let signals = signals()?;
    let proxy = Proxy::bind(listeners, limits).await?;
    let addresses = proxy.addresses()?;
    let watched = Arc::new(Watched {
        monitor: proxy.monitor(),
        served: served(&targets, &wanted, &addresses, &routes),
        draining: AtomicBool::new(false),
        clock: Arc::clone(&targets.base.connector().runtime().clock),
    });
    let admin_address = admin.as_ref().map(Admin::address).transpose()?;
    // Ends with this function.
    let mut probes = JoinSet::new();
    if let Some(admin) = admin {
        probes.spawn(admin.serve(Arc::clone(&watched)));
    }
    announce(global, &targets, &wanted, addresses, admin_address)?;
    systemd::tell(systemd::Stage::Ready);
    let nth = |count: u32| {
        let mut signals = signals.clone();
        async move {
            let _ = signals.wait_for(|seen| *seen >= count).await;
        }
    };
    let drain = async {
        nth(1).await;
        watched.draining.store(true, Ordering::Relaxed);
        systemd::tell(systemd::Stage::Stopping);
        note("lakebase: no new connections; waiting for sessions to end");
    };
    let cut = tokio::select! {
        drained = proxy.run(drain) => drained.cut,
        () = nth(2) => {
            note("lakebase: a second signal; sessions were cut");
            return Ok(1);
        }
    };
    if cut > 0 {
        note(format!("lakebase: the time was over; sessions cut: {cut}"));
    }
    Ok(0)
}

/// Every listener with its default and after it its routes: the order of [`lakebase_proxy::Monitor::status`].
fn served(
    targets: &Targets,
    wanted: &[Wanted],
    addresses: &[Address],
    routes: &[(Route, Target)],
) -> Vec<Served> {
    let mut all = Vec::new();
    for (one, address) in wanted.iter().zip(addresses) {
        let named = routes.iter().map(|(_, target)| target.to_string());
        for target in std::iter::once(targets.describe(one)).chain(named) {
            let listener = address.to_string();
            all.push(Served { listener, target, read_only: one.read_only });
        }
    }
    all
}

/// All servers, with the tokens of one workspace.
struct Targets {
    base: Lakebase,
    /// Those that differ from the base. Listeners with the same target share its token.
    others: Vec<(Option<Target>, bool, Connector)>,
}

impl Targets {
    /// Listeners without a target of their own have that of the other flags and the environment.
    fn new(global: &Global, wanted: &[Wanted]) -> anyhow::Result<Self> {
        let all_named = wanted.iter().all(|listener| listener.target.is_some());
        let first = wanted.first().and_then(|listener| listener.target.as_ref());
        let base = match first {
            Some(target) if all_named => lakebase_at(global, "the listener's target", target)?,
            _ => lakebase(global)?,
        };
        Ok(Self { base, others: Vec::new() })
    }

    fn connector(&mut self, target: Option<&Target>, read_only: bool) -> anyhow::Result<Connector> {
        let base = self.base.connector();
        if target.is_none() && !read_only {
            return Ok(base.clone());
        }
        let same = |(other, kind, _): &&(Option<Target>, bool, Connector)| {
            other.as_ref() == target && *kind == read_only
        };
        if let Some((_, _, connector)) = self.others.iter().find(same) {
            return Ok(connector.clone());
        }
        let mut config = base.config().clone();
        let Some(workspace) = self.base.workspace() else {
            bail!(
                "targets and read-only listeners need a workspace to ask; a URL or host names one server only"
            );
        };
        if config.host.is_some() || config.socket_directory.is_some() {
            bail!("the host is configured (PGHOST); unset it, so that each target has its own");
        }
        if let Some(target) = target {
            config.target = Some(target.clone());
        }
        if read_only {
            config.access = Access::ReadOnly;
        }
        let client = Arc::new(workspace.clone());
        let sources = Sources {
            credentials: Some(client.clone()),
            endpoints: Some(client.clone()),
            users: Some(client),
        };
        let connector = Connector::new(config, sources, base.runtime())?;
        self.others.push((target.cloned(), read_only, connector.clone()));
        Ok(connector)
    }

    fn describe(&self, wanted: &Wanted) -> String {
        let config = self.base.connector().config();
        match (&wanted.target, &config.target, &config.host) {
            (Some(target), ..) | (None, Some(target), _) => target.to_string(),
            (None, None, Some(host)) => host.to_string(),
            (None, None, None) => "the configured server".to_owned(),
        }
    }
}

fn announce(
    global: &Global,
    targets: &Targets,
    wanted: &[Wanted],
    addresses: Vec<Address>,
    admin: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let mut ready =
        Ready { listeners: Vec::new(), admin: admin.map(|address| address.to_string()) };
    for (one, address) in wanted.iter().zip(addresses) {
        let target = targets.describe(one);
        let kind = if one.read_only { " (read-only)" } else { "" };
        note(format!("lakebase: listening on {address} for {target}{kind}"));
        let (host, port) = match address {
            Address::Tcp(address) => (address.ip().to_string(), address.port()),
            Address::Unix(directory, port) => (directory.display().to_string(), port),
        };
        ready.listeners.push(ReadyListener { host, port, target, read_only: one.read_only });
    }
    if let Some(address) = admin {
        note(format!("lakebase: metrics and probes on http://{address}"));
    }
    if global.json { print_json(&ready) } else { Ok(()) }
}

fn wanted(arguments: &Arguments) -> anyhow::Result<Vec<Wanted>> {
    let mut all = Vec::new();
    for (flag, texts, read_only) in [
        ("--listen", &arguments.listen, false),
        ("--listen-read-only", &arguments.listen_read_only, true),
    ] {
        for text in texts {
            let (listen, target) = with_target(text).with_context(|| format!("{flag} {text:?}"))?;
            let address = address(listen).with_context(|| {
                format!("{flag} {text:?}: accepted: ADDRESS:PORT or PORT, with =TARGET if need be")
            })?;
            all.push(Wanted { address: Address::Tcp(address), target, read_only });
        }
    }
    for text in &arguments.unix_socket {
        let (folder, target) =
            with_target(text).with_context(|| format!("--unix-socket {text:?}"))?;
        let address = Address::Unix(PathBuf::from(folder), UNIX_PORT);
        all.push(Wanted { address, target, read_only: false });
    }
    if all.is_empty() {
        let address = Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 6432)));
        all.push(Wanted { address, target: None, read_only: false });
    }
    Ok(all)
}

fn address(text: &str) -> anyhow::Result<SocketAddr> {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Ok(port) = text.parse() {
        return Ok(loopback(port));
    }
    match text.strip_prefix("localhost:") {
        Some(port) => Ok(loopback(port.parse()?)),
        None => Ok(text.parse()?),
    }
}

/// `TEXT[=TARGET]`; the text may hold an equals sign, a target begins with `projects/`.
fn with_target(text: &str) -> anyhow::Result<(&str, Option<Target>)> {
    match text.rfind("=projects/") {
        Some(at) => Ok((&text[..at], Some(target(&text[at + 1..])?))),
        None => Ok((text, None)),
    }
}

fn target(text: &str) -> anyhow::Result<Target> {
    Ok(match text.contains("/endpoints/") {
        true => Target::Endpoint(text.parse()?),
        false => Target::Branch(text.parse()?),
    })
}

fn routes(arguments: &Arguments) -> anyhow::Result<Vec<(Route, Target)>> {
    let parse = |text: &String| {
        let (name, target) = with_target(text)?;
        let target = target.context("accepted: [database:|user:]NAME=projects/…")?;
        let route = match name.split_once(':') {
            Some(("user", name)) => Route::User(name.to_owned()),
            Some(("database", name)) => Route::Database(name.to_owned()),
            _ => Route::Database(name.to_owned()),
        };
        anyhow::Ok((route, target))
    };
    let all = arguments.route.iter();
    all.map(|text| parse(text).with_context(|| format!("--route {text:?}"))).collect()
}

fn read(flag: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{flag} {}: cannot be read", path.display()))
}

fn password(arguments: &Arguments) -> anyhow::Result<Option<Secret>> {
    let Some(path) = &arguments.password_file else { return Ok(None) };
    let text = String::from_utf8(read("--password-file", path)?).unwrap_or_default();
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        bail!(
            "--password-file {}: accepted: one line of printable ASCII characters",
            path.display()
        );
    }
    Ok(Some(Secret::new(text)))
}

fn tls(arguments: &Arguments) -> anyhow::Result<Option<ClientTls>> {
    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else {
        return Ok(None);
    };
    let authority =
        arguments.client_ca.as_ref().map(|path| read("--client-ca", path)).transpose()?;
    let (certificate, key) = (read("--tls-cert", certificate)?, read("--tls-key", key)?);
    let tls = ClientTls::from_pem(&certificate, &key, authority.as_deref());
    Ok(Some(tls.context("--tls-cert, --tls-key or --client-ca")?))
}

fn pool(arguments: &Arguments) -> anyhow::Result<Option<PoolOptions>> {
    let Some(size) = arguments.pool_size else { return Ok(None) };
    let min = arguments.pool_min;
    if min > size {
        bail!("--pool-min {min}: accepted: up to {size}, which is --pool-size");
    }
    Ok(Some(PoolOptions {
        size: usize::try_from(size)?,
        min: usize::try_from(min)?,
        wait: Duration::from_secs(arguments.pool_wait),
        idle_timeout: Duration::from_secs(arguments.pool_idle_timeout),
        max_lifetime: Duration::from_secs(arguments.pool_max_lifetime),
        ..PoolOptions::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_targets_are_told_apart() {
        for (text, expected) in [
            ("6432", "127.0.0.1:6432"),
            ("localhost:1", "127.0.0.1:1"),
            ("[::1]:5", "[::1]:5"),
            ("0.0.0.0:5", "0.0.0.0:5"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), expected);
        }
        for wrong in ["", "host:5", "127.0.0.1", "65536", "localhost:x"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        let (folder, target) = with_target("/tmp/a=b=projects/p/branches/b").unwrap();
        assert_eq!(
            (folder, target.unwrap().to_string().as_str()),
            ("/tmp/a=b", "projects/p/branches/b")
        );
        let (_, target) = with_target("1=projects/p/branches/b/endpoints/e").unwrap();
        assert!(matches!(target, Some(Target::Endpoint(_))));
        assert!(with_target("1=projects/p").is_err());
    }
}
