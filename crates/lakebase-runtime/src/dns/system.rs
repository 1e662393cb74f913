//! The DNS servers that this machine uses, wherever its system keeps them.
//!
//! They are read for every query that is not answered from memory, since networks change while programs run.

use std::net::SocketAddr;
use std::path::Path;

use lakebase_core::{Error, ErrorKind, Result};

use super::resolv_conf::{interface_index, parse_resolv_conf};

#[cfg(unix)]
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The servers for `name`, at least one: those that the file at `resolv_conf` names, or if there is none, the system's.
///
/// # Errors
///
/// [`Unavailable`](ErrorKind::Unavailable) if none is known, naming the place that was looked at.
pub(super) fn servers(resolv_conf: Option<&Path>, name: &str) -> Result<Vec<SocketAddr>> {
    match resolv_conf {
        Some(path) => from_file(path, name),
        None => of_platform(name),
    }
}

fn refuse(name: &str, place: &str, problem: &str) -> Error {
    let message = format!(
        "no DNS server is known to ask for {name}: {place} {problem}; set LAKEBASE_DNS to ip:port of one"
    );
    Error::new(ErrorKind::Unavailable, message)
}

fn some(servers: Vec<SocketAddr>, name: &str, place: &str) -> Result<Vec<SocketAddr>> {
    if servers.is_empty() { Err(refuse(name, place, "names none")) } else { Ok(servers) }
}

fn from_file(path: &Path, name: &str) -> Result<Vec<SocketAddr>> {
    let place = format!("{path:?}");
    let text = std::fs::read_to_string(path)
        .map_err(|error| refuse(name, &place, "cannot be read").with_source(error))?;
    some(parse_resolv_conf(&text, interface_index), name, &place)
}

/// Linux and the other Unixes.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn of_platform(name: &str) -> Result<Vec<SocketAddr>> {
    from_file(Path::new(RESOLV_CONF), name)
}

/// `scutil` tells the truth; where it may not be run, as in a sandbox, `/etc/resolver` and `/etc/resolv.conf` are what is left.
#[cfg(target_vendor = "apple")]
fn of_platform(name: &str) -> Result<Vec<SocketAddr>> {
    use std::process::{Command, Stdio};

    let mut scutil = Command::new("/usr/sbin/scutil");
    let said = scutil.arg("--dns").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    let mut found = super::scutil::servers(&text.unwrap_or_default(), name);
    if found.is_empty() {
        let folder = Path::new("/etc/resolver");
        found = super::resolver_files::servers(name, |domain| {
            std::fs::read_to_string(folder.join(domain)).ok()
        });
    }
    if found.is_empty() { from_file(Path::new(RESOLV_CONF), name) } else { Ok(found) }
}

/// Those of all adapters that are up, beginning with the one that the system prefers.
#[cfg(windows)]
fn of_platform(name: &str) -> Result<Vec<SocketAddr>> {
    const PLACE: &str = "the configuration of the network adapters";
    let adapters = ipconfig::get_adapters()
        .map_err(|error| refuse(name, PLACE, "cannot be read").with_source(error))?;
    let is_up = |adapter: &&ipconfig::Adapter| {
        adapter.oper_status() == ipconfig::OperStatus::IfOperStatusUp
    };
    let mut up: Vec<_> = adapters.iter().filter(is_up).collect();
    up.sort_by_key(|adapter| adapter.ipv4_metric().min(adapter.ipv6_metric()));
    let all = up.into_iter().flat_map(|adapter| {
        let addresses = adapter.dns_servers().iter();
        addresses.filter_map(|address| super::adapter::server(*address, adapter.ipv6_if_index()))
    });
    some(crate::hosts::distinct(all), name, PLACE)
}
