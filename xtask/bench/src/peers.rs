//! What rows are compared with: found, built or installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xtask::process::shown;
use xtask::provision::{self, Package, Tool};
use xtask::system::{Failure, cargo, root, target_dir};

/// A program or folder that is provisioned.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    name: &'static str,
    /// Finds or installs it.
    provide: fn() -> Result<PathBuf, Failure>,
}

/// The folder of a Postgres server's programs.
pub(crate) const POSTGRES: Peer = Peer {
    name: "postgres",
    provide: || {
        let found = provision::provide(Tool::Postgres)?;
        let folder = found.into_iter().next().map(|(_, folder)| PathBuf::from(folder));
        folder.ok_or_else(|| Failure::new("no folder of a Postgres server"))
    },
};
/// The Python of a virtual environment with the official packages.
pub(crate) const PYTHON: Peer = Peer { name: "python", provide: provision::python };
/// The folder of the npm packages.
pub(crate) const NODE: Peer = Peer { name: "node", provide: provision::node };
/// deadpool-postgres as a subject; its lock file is its own, since it needs none of the other peers.
pub(crate) const DEADPOOL: Peer = Peer {
    name: "deadpool",
    provide: || {
        shown(outside("xtask/peers/db").args(["build", "--quiet", "--release", "--locked"]))?;
        Ok(built_outside("peers-db"))
    },
};
/// The command, for its proxy, optimized as the one that is packed.
pub(crate) const LAKEBASE: Peer = Peer {
    name: "lakebase",
    provide: || xtask::built("dist", &["--package", "lakebase-cli"], "lakebase"),
};
pub(crate) const PGBOUNCER: Peer = Peer {
    name: "pgbouncer",
    provide: || Package { program: "pgbouncer", apt: "pgbouncer", brew: "pgbouncer" }.provide(),
};
pub(crate) const SOCAT: Peer = Peer {
    name: "socat",
    provide: || Package { program: "socat", apt: "socat", brew: "socat" }.provide(),
};
pub(crate) const STUNNEL: Peer = Peer {
    name: "stunnel",
    provide: || Package { program: "stunnel", apt: "stunnel4", brew: "stunnel" }.provide(),
};

/// Programs and folders by name, and why those that are not there are not.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Peers(BTreeMap<String, Result<PathBuf, String>>);

impl Peers {
    /// Finds or installs them.
    pub(crate) fn provide(list: &[Peer]) -> Self {
        let provided = list.iter().map(|Peer { name, provide }| {
            eprintln!("bench: providing {name}");
            let found = provide().map_err(|reason| {
                eprintln!("bench: {name} is absent: {reason}");
                reason.to_string()
            });
            ((*name).to_owned(), found)
        });
        Self(provided.collect())
    }

    /// Where `name` is, or why it is not there.
    pub(crate) fn get(&self, name: &str) -> Result<&Path, String> {
        let found = self.0.get(name).ok_or("not provisioned")?;
        found.as_deref().map_err(Clone::clone)
    }
}

/// Cargo in another workspace; what it builds lies beside what other commands build.
pub(crate) fn outside(workspace: &str) -> std::process::Command {
    let mut cargo = cargo();
    cargo.current_dir(root().join(workspace)).env("CARGO_TARGET_DIR", target_dir().join("bench"));
    cargo
}

/// Where [`outside`] puts a program that is built for release.
pub(crate) fn built_outside(program: &str) -> PathBuf {
    target_dir().join("bench/release").join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_there_or_has_a_reason() {
        let found = Peer { name: "node", provide: || Ok("/n".into()) };
        let absent = Peer { name: "python", provide: || Err(Failure::new("no pip")) };
        let peers = Peers::provide(&[found, absent]);
        let handed_on = serde_json::to_string(&peers).unwrap();
        for peers in [peers, serde_json::from_str(&handed_on).unwrap()] {
            assert_eq!(peers.get("node").unwrap(), Path::new("/n"));
            assert_eq!(peers.get("python").unwrap_err(), "no pip");
            assert_eq!(peers.get("socat").unwrap_err(), "not provisioned");
        }
    }
}
