//! The relays, started as their users would.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::shim;
use crate::clock;
use crate::peers::Peers;
use crate::postgres::{DATABASE, HOST, Postgres};
use crate::world::World;

/// Sessions at the server, for all that keep them.
const POOL_SIZE: &str = "600";
/// How long a relay may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Direct,
    Ours,
    OursPooled,
    PgBouncer,
    Socat,
    Stunnel,
    Shim,
}

/// Where clients connect to, and whether they speak TLS there.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Tls(u16),
    Plain(u16),
}

impl Way {
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Tls(port) | Self::Plain(port) => port,
        }
    }
}

/// A running relay; dropping it stops it.
pub(super) struct Relay {
    pub(super) way: Way,
    child: Option<Child>,
    _folder: Option<TempDir>,
}

impl Relay {
    /// Starts a relay, or says why it is not there.
    pub(super) fn start(
        kind: Kind,
        postgres: &Postgres,
        world: &World,
        peers: &Peers,
    ) -> Result<Result<Self, String>> {
        let name = match kind {
            Kind::Direct | Kind::Shim => {
                let server = postgres.address.port();
                let port =
                    if kind == Kind::Shim { shim::open(postgres.address, false)? } else { server };
                return Ok(Ok(Self { way: Way::Tls(port), child: None, _folder: None }));
            }
            Kind::Ours | Kind::OursPooled => "lakebase",
            Kind::PgBouncer => "pgbouncer",
            Kind::Socat => "socat",
            Kind::Stunnel => "stunnel",
        };
        let program = match peers.get(name) {
            Ok(program) => program,
            Err(reason) => return Ok(Err(reason)),
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::Builder::new().prefix("lakebase-bench-").tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let mut command = Command::new(program);
        match kind {
            Kind::Ours => ours(&mut command, postgres, world, port)?,
            Kind::OursPooled => {
                ours(&mut command, postgres, world, port)?;
                command.args(["--pool-size", POOL_SIZE]);
            }
            Kind::PgBouncer => pgbouncer(&mut command, postgres, folder.path(), port)?,
            Kind::Stunnel => stunnel(&mut command, postgres, folder.path(), port)?,
            _ => socat(&mut command, postgres, port)?,
        }
        let log = fs::File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let mut relay = Self { way: Way::Plain(port), child: Some(child), _folder: Some(folder) };
        relay.wait(port)?;
        Ok(Ok(relay))
    }

    /// The process whose time and memory count.
    pub(super) fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn wait(&mut self, port: u16) -> Result<()> {
        let started = clock::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().transpose())
            {
                bail!("the relay ended with {}: {}", status?, self.log());
            }
            ensure!(clock::since(started) < PATIENCE, "the relay did not listen: {}", self.log());
            clock::pause(Duration::from_millis(20));
        }
        Ok(())
    }

    fn log(&self) -> String {
        let log = self._folder.as_ref().map(|folder| fs::read_to_string(folder.path().join("log")));
        log.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn ours(command: &mut Command, postgres: &Postgres, world: &World, port: u16) -> Result<()> {
    world.variables_for(postgres, postgres.address.port())?.describe(command);
    command
        .args(["proxy", "--max-connections", "1000", "--listen"])
        .arg(format!("127.0.0.1:{port}"));
    Ok(())
}

fn pgbouncer(command: &mut Command, postgres: &Postgres, folder: &Path, port: u16) -> Result<()> {
    let file = folder.join("pgbouncer.ini");
    let (server, user) = (postgres.address.port(), &postgres.user);
    let certificate = postgres.certificate();
    fs::write(
        &file,
        format!(
            "[databases]\n{DATABASE} = host={HOST} port={server} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = session\nmax_client_conn = 1000\ndefault_pool_size = {POOL_SIZE}\n\
             ignore_startup_parameters = extra_float_digits\nserver_tls_sslmode = verify-full\nserver_tls_ca_file = {}\n",
            certificate.display()
        ),
    )?;
    command.arg(&file);
    // It refuses to be root.
    let owner = fs::metadata(certificate.parent().context("a file without a folder")?)?;
    if fs::metadata(&file)?.uid() != owner.uid() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    Ok(())
}

fn stunnel(command: &mut Command, postgres: &Postgres, folder: &Path, port: u16) -> Result<()> {
    let file = folder.join("stunnel.conf");
    fs::write(
        &file,
        format!(
            "foreground = yes\npid =\nsocket = a:TCP_NODELAY=1\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n[postgres]\nclient = yes\n\
             accept = 127.0.0.1:{port}\nconnect = {}\nprotocol = pgsql\nverifyChain = yes\nCAfile = {}\ncheckHost = {HOST}\n",
            postgres.address,
            postgres.certificate().display()
        ),
    )?;
    command.arg(&file);
    Ok(())
}

fn socat(command: &mut Command, postgres: &Postgres, port: u16) -> Result<()> {
    let shim = shim::open(postgres.address, true)?;
    let certificate = postgres.certificate();
    command.arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=512"));
    command.arg(format!(
        "OPENSSL:127.0.0.1:{shim},cafile={},commonname={HOST},nodelay",
        certificate.display()
    ));
    Ok(())
}
