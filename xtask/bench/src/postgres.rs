//! A real Postgres with TLS on loopback, as fast as it gets: what every subject talks to in the end.

#[expect(unreachable_pub, reason = "a file of programs outside of the workspace")]
#[path = "../../../tests/outside/postgres.rs"]
mod server;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::peers::Peers;
use crate::process::bare;

/// The first name in the server's certificate; every system resolves it.
pub(crate) const HOST: &str = "localhost";
/// All of them: the others are those of the test kit's `netns/hosts`.
const HOSTS: [&str; 4] = [HOST, "server.test", "one-of-two.test", "one-of-three.test"];
/// As the service names it.
pub(crate) const DATABASE: &str = "databricks_postgres";

/// A running server. TLS is required and anybody may log in: what a login costs is measured elsewhere.
pub(crate) struct Postgres {
    pub(crate) address: SocketAddr,
    /// The folder of its programs, among them `pgbench` and `psql` where the packager has them.
    pub(crate) bin: PathBuf,
    /// The superuser.
    pub(crate) user: String,
    server: server::Postgres,
}

impl Postgres {
    /// Makes a cluster whose superuser is `user` in a new folder and starts it with the peer `postgres`, a folder of programs.
    pub(crate) fn start(peers: &Peers, user: &str) -> Result<Self> {
        let bin = peers.get("postgres");
        let bin = bin.map_err(|reason| anyhow!("this row needs a Postgres server: {reason}"))?;
        let settings = &["max_connections=700", "shared_buffers=64MB"];
        let setup = server::Setup { bin, hosts: &HOSTS, user, password: "", settings };
        let server = server::Postgres::start(&setup)?;
        let address = (Ipv4Addr::LOCALHOST, server.port).into();
        Ok(Self { address, bin: bin.to_owned(), user: user.to_owned(), server })
    }

    /// The certificate to trust.
    pub(crate) fn certificate(&self) -> &Path {
        &self.server.certificate
    }

    /// One of its programs, found beside the server or on the `PATH`, set to log in directly with verified TLS.
    pub(crate) fn client(&self, name: &str) -> Command {
        let beside = self.bin.join(name);
        let mut command =
            Command::new(if beside.is_file() { beside.as_os_str() } else { OsStr::new(name) });
        bare(&mut command)
            .env("PGHOST", HOST)
            .env("PGHOSTADDR", self.address.ip().to_string())
            .env("PGPORT", self.address.port().to_string())
            .env("PGUSER", &self.user)
            .env("PGDATABASE", DATABASE)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", &self.server.certificate);
        command
    }
}
