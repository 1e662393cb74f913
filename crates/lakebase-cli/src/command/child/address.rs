//! An address of this machine that a program can connect to without a password, and how it is told.

use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::Context as _;
use lakebase::workspace::secret_variables;
use lakebase::{Lakebase, Secret};
use lakebase_proxy::Tunnel;
use lakebase_runtime::platform::IS_WINDOWS;
use tempfile::TempPath;
use tokio::process::Command;

use crate::process;

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

/// A tunnel, and what programs need to know about it; gone on drop, with the sessions that it carries.
#[derive(Debug)]
pub(crate) struct LocalAddress {
    tunnel: Tunnel,
    /// With TCP: the password, in libpq's form, in a file that only this user can read.
    passfile: Option<TempPath>,
    user: Arc<str>,
}

impl LocalAddress {
    /// Opens a private Unix socket, or a port of loopback with a password of its own, whose clients are logged in to
    /// `lakebase`. Connects to no database yet, but may ask the workspace for the name of the user.
    pub(crate) async fn open(lakebase: &Lakebase, tcp: bool) -> anyhow::Result<Self> {
        let user = lakebase.user().await?;
        let connector = lakebase.connector().clone();
        let tunnel = match tcp {
            true => Tunnel::open_tcp(connector).await?,
            false => Tunnel::open(connector).await?,
        };
        let passfile = match tunnel.password() {
            Some(password) => {
                Some(passfile(&tunnel, password).context("cannot write the password's file")?)
            }
            None => None,
        };
        Ok(Self { tunnel, passfile, user })
    }

    /// Puts the address into the environment of `command` and takes out what speaks against it, and secrets.
    pub(crate) fn tell(&self, command: &mut Command, pass_credentials: bool) {
        for name in MISLEADING {
            command.env_remove(name);
        }
        if !pass_credentials {
            for name in secret_variables() {
                command.env_remove(name);
            }
            // The name of a variable that holds an id token.
            if let Some(name) = process::variable("DATABRICKS_OIDC_TOKEN_ENV") {
                command.env_remove(name);
            }
        }
        if let Some(passfile) = &self.passfile {
            command.env("PGPASSFILE", passfile);
        }
        command
            .env("PGHOST", self.tunnel.host())
            .env("PGPORT", self.tunnel.port().to_string())
            .env("PGUSER", &*self.user)
            .env("PGDATABASE", self.tunnel.database())
            .env("PGSSLMODE", "disable");
    }

    /// The address as a URL. With TCP it holds the password, as clients that need it read no file.
    pub(crate) fn url(&self) -> Secret {
        self.tunnel.url_as(&self.user)
    }
}

/// A new file that only this user may read: by its mode (0600), and on Windows, whose files inherit who may read them, by lying in the
/// user's profile. It is closed, because Windows refuses some programs a file that another has open.
fn passfile(tunnel: &Tunnel, password: &Secret) -> io::Result<TempPath> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("lakebase-");
    let mut file = match process::variable("LOCALAPPDATA").filter(|_| IS_WINDOWS) {
        Some(profile) => builder.tempfile_in(profile)?,
        None => builder.tempfile()?,
    };
    writeln!(file, "{}:{}:*:*:{}", tunnel.host(), tunnel.port(), password.expose())?;
    Ok(file.into_temp_path())
}
