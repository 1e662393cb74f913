//! An address of this machine that a program can connect to without a password, and how it is told.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use lakebase::workspace::secret_variables;
use lakebase::{Lakebase, Secret};
use lakebase_proxy::{Address, Limits, Listener, Proxy};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::command::url::encode;

/// libpq's variables that would lead elsewhere, or ask for what a private address does not offer.
///
/// Source: PostgreSQL's documentation, "Environment Variables" of libpq.
const MISLEADING: [&str; 21] = [
    "PGHOSTADDR",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGREQUIREAUTH",
    "PGCHANNELBINDING",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLNEGOTIATION",
    "PGREQUIRESSL",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCERTMODE",
    "PGSSLROOTCERT",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGGSSENCMODE",
    "PGKRBSRVNAME",
    "PGGSSLIB",
    "PGGSSDELEGATION",
    "PGTARGETSESSIONATTRS",
    "LAKEBASE_PG_URL",
];

/// Secrets of other ways to prove an identity, which the connector does not read.
const OTHER_SECRETS: [&str; 2] = ["DATABRICKS_OIDC_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];

/// The file in the private folder that holds the password, in libpq's form.
const PASSFILE: &str = "pgpass";

/// The port of the private socket, which has its folder for itself.
const UNIX_PORT: u16 = 5432;

/// A listener of this process; gone on drop, with the sessions that it carries.
#[derive(Debug)]
pub(crate) struct LocalAddress {
    // Dropped first: sockets before their folder.
    _serving: JoinSet<()>,
    /// Private (0700): for the socket, or for the password.
    folder: TempDir,
    tcp: Option<(SocketAddr, Secret)>,
    user: Arc<str>,
    database: Arc<str>,
}

impl LocalAddress {
    /// Listens on a private Unix socket, or on loopback with a password of its own, and logs in to `lakebase` for
    /// whoever connects. Nobody is connected to yet, but the workspace may be asked who the user is.
    pub(crate) async fn open(lakebase: &Lakebase, tcp: bool) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("lakebase-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .context("cannot make a private folder")?;
        let connector = lakebase.connector().clone();
        let password = if tcp { Some(random_password()?) } else { None };
        let listener = match &password {
            Some(password) => {
                let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                Listener::new(Address::Tcp(any), connector).password(password.clone())
            }
            None => Listener::new(Address::Unix(folder.path().to_owned(), UNIX_PORT), connector),
        };
        let proxy = Proxy::bind([listener], Limits::default()).await?;
        let bound = proxy.addresses()?.into_iter().find_map(|address| match address {
            Address::Tcp(address) => Some(address),
            Address::Unix(..) => None,
        });
        let tcp = bound.zip(password);
        if let Some((address, password)) = &tcp {
            let line = format!("{}:{}:*:*:{}\n", address.ip(), address.port(), password.expose());
            write_private(&folder.path().join(PASSFILE), &line)
                .context("cannot write the password's file")?;
        }
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            proxy.run(std::future::pending()).await;
        });
        let user = lakebase.user().await?;
        let database = Arc::clone(&lakebase.connector().config().database);
        Ok(Self { _serving: serving, folder, tcp, user, database })
    }

    /// Puts the address into the environment of `command` and takes out what speaks against it, and secrets.
    pub(crate) fn tell(&self, command: &mut Command, pass_credentials: bool) {
        for name in MISLEADING {
            command.env_remove(name);
        }
        if !pass_credentials {
            for name in secret_variables().chain(OTHER_SECRETS) {
                command.env_remove(name);
            }
        }
        match &self.tcp {
            Some((address, _)) => {
                command.env("PGHOST", address.ip().to_string());
                command.env("PGPORT", address.port().to_string());
                command.env("PGPASSFILE", self.folder.path().join(PASSFILE));
            }
            None => {
                command.env("PGHOST", self.folder.path());
                command.env("PGPORT", UNIX_PORT.to_string());
            }
        }
        command
            .env("PGUSER", &*self.user)
            .env("PGDATABASE", &*self.database)
            .env("PGSSLMODE", "disable");
    }

    /// The address as a URL. With TCP it holds the password, as clients that need it read no file.
    pub(crate) fn url(&self) -> String {
        let (user, database) = (encode(&self.user), encode(&self.database));
        match &self.tcp {
            Some((address, password)) => {
                let password = password.expose();
                format!("postgresql://{user}:{password}@{address}/{database}?sslmode=disable")
            }
            None => {
                // Most parsers of URLs refuse a user in front of an empty host.
                let folder = encode(&self.folder.path().to_string_lossy());
                format!(
                    "postgresql:///{database}?host={folder}&port={UNIX_PORT}&user={user}&sslmode=disable"
                )
            }
        }
    }
}

/// 128 random bits in characters that need no quoting anywhere.
fn random_password() -> anyhow::Result<Secret> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system has no random numbers")?;
    Ok(Secret::new(format!("{:032x}", u128::from_be_bytes(bytes))))
}

/// Writes a new file that nobody else can read; libpq refuses any other.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}
