//! The handle that applications hold.

use std::fmt;
use std::sync::Arc;

use lakebase_core::connect::Connector;
use lakebase_core::refresh::{Held, Status};
use lakebase_core::{DatabaseCredential, Endpoint, Error, ErrorKind, Result, Secret};
use lakebase_workspace::WorkspaceClient;

use crate::Builder;
use crate::default_runtime::HasRuntime;
use crate::handles::Handles;

/// A Lakebase database, and everything needed to log in to it. Cheap to clone.
///
/// Clones share the workspace's token, the database credential, the endpoint and its addresses. Nothing
/// is asked before the first use, and no task runs unless a pool was opened or a user's handle is kept.
#[derive(Clone)]
pub struct Lakebase {
    pub(crate) connector: Connector,
    #[cfg(feature = "tokio-postgres")]
    pub(crate) tokio_postgres: lakebase_tokio_postgres::TokioPostgresFactory,
    workspace: Option<WorkspaceClient>,
    users: Arc<Handles<(Connector, WorkspaceClient)>>,
}

impl Lakebase {
    pub(crate) fn new(connector: Connector, workspace: Option<WorkspaceClient>) -> Self {
        Self {
            #[cfg(feature = "tokio-postgres")]
            tokio_postgres: lakebase_tokio_postgres::TokioPostgresFactory::new(connector.runtime()),
            connector,
            workspace,
            users: Arc::default(),
        }
    }

    /// Starts with nothing set; what stays unset comes from the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The database that the environment describes: see [configuration](crate#configuration).
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn from_env() -> Result<Self>
    where
        for<'a> Builder: HasRuntime<'a>,
    {
        Self::builder().build()
    }

    /// The server that a connection URL names, with the password in it.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn from_url(url: impl Into<String>) -> Result<Self>
    where
        for<'a> Builder: HasRuntime<'a>,
    {
        Self::builder().url(url).build()
    }

    /// The same database for another identity: the one whose token of the workspace this is.
    ///
    /// For services that act in the name of their users: Databricks Apps forward the user's token in the header
    /// `x-forwarded-access-token`, which needs the scope `postgres`. The handle logs in as that user, whatever
    /// [`Builder::user`] says. It shares the endpoint, its addresses, HTTP connections and the runtime with this one,
    /// and nothing secret; the endpoint is looked up with this handle's identity.
    ///
    /// Cheap: up to 1,000 handles are kept, by token, so the requests of one user share their database credential.
    /// One that was not used for 10 minutes ends, by a task that this spawns, and of too many the one that was not used for longest; a clone that
    /// you hold, or a pool, lives on. The token is not renewed: pass the one of the current request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if that cannot be a token; [`ErrorKind::Unsupported`] if this handle logs in without
    /// tokens or asks no workspace. A token that the workspace refuses is an
    /// [`Unauthenticated`](ErrorKind::Unauthenticated) error of the first use.
    pub fn on_behalf_of(&self, token: impl Into<Secret>) -> Result<Self> {
        let token = token.into();
        let Some(workspace) = &self.workspace else {
            let problem =
                "no workspace is asked here, so nobody can be logged in by a token of theirs";
            return Err(Error::new(ErrorKind::Unsupported, problem));
        };
        let (connector, workspace) = self.users.get(&token, self.connector.runtime(), || {
            let theirs = workspace.on_behalf_of(token.clone())?;
            let source = Arc::new(theirs.clone());
            let connector = self.connector.on_behalf_of(source.clone(), source)?;
            Ok((connector, theirs))
        })?;
        let handle = Self::new(connector, Some(workspace));
        // Its sessions have the same upstream, so this handle may cancel theirs.
        #[cfg(feature = "tokio-postgres")]
        let handle = Self { tokio_postgres: self.tokio_postgres.clone(), ..handle };
        Ok(handle)
    }

    /// Opens one connection.
    ///
    /// Retries logins, within 60 s unless set otherwise, while the compute wakes, through network failures,
    /// and once with a fresh token if one was refused. Close it with `Connection::close`.
    ///
    /// **Cancellation:** dropping the future closes the socket; a token request under way goes on for
    /// other callers.
    ///
    /// # Errors
    ///
    /// The last failure with its cause: see [`Connector::connect`].
    #[cfg(feature = "sqlx")]
    pub async fn connect(&self) -> Result<crate::sqlx::PgConnection> {
        self.connector.connect(&self.factory()).await
    }

    /// Opens a pool and its first connection.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    #[cfg(feature = "sqlx")]
    pub async fn pool(&self, options: crate::PoolOptions) -> Result<crate::LakebasePool> {
        crate::LakebasePool::open(self.connector.clone(), self.factory(), options).await
    }

    #[cfg(feature = "sqlx")]
    fn factory(&self) -> lakebase_sqlx::SqlxFactory {
        lakebase_sqlx::SqlxFactory::new(self.connector.runtime())
    }

    /// Opens a local address for drivers that have no hook for tokens, on a private Unix socket where there are
    /// any. Every client that connects there is logged in, as by [`connect`](Self::connect).
    ///
    /// It works on every runtime and beside drivers that block, because it runs on a thread of its own; it ends,
    /// with all its sessions, when the handle is dropped. There is no login before the first client.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if no private folder can be made; [`ErrorKind::Unavailable`] if no thread can be started.
    #[cfg(feature = "tunnel")]
    pub async fn tunnel(&self) -> Result<crate::Tunnel> {
        crate::Tunnel::open(self.connector.clone()).await
    }

    /// The same on a loopback port with a random password, for drivers without Unix sockets, such as JDBC.
    ///
    /// # Errors
    ///
    /// As [`tunnel`](Self::tunnel).
    #[cfg(feature = "tunnel")]
    pub async fn tunnel_tcp(&self) -> Result<crate::Tunnel> {
        crate::Tunnel::open_tcp(self.connector.clone()).await
    }

    /// A living database credential, for drivers that this crate does not know.
    ///
    /// # Errors
    ///
    /// Those of the workspace; [`ErrorKind::Unsupported`] with native passwords.
    pub async fn credential(&self) -> Result<Held<DatabaseCredential>> {
        match self.connector.credentials().await? {
            Some(cache) => cache.get().await,
            None => Err(Error::new(
                ErrorKind::Unsupported,
                "this connection uses a native password; there is no token",
            )),
        }
    }

    /// The state of the token, without a request and without the database: for readiness probes.
    /// `None` with native passwords.
    ///
    /// [`Status::is_ready`] says whether a login has a token to use.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.connector.status()
    }

    /// The endpoint that logins go to; `None` if only a host or a URL is configured.
    ///
    /// # Errors
    ///
    /// Those of the workspace.
    pub async fn endpoint(&self) -> Result<Option<Endpoint>> {
        self.connector.endpoint().await
    }

    /// The Postgres user that logs in.
    ///
    /// # Errors
    ///
    /// Those of the workspace.
    pub async fn user(&self) -> Result<Arc<str>> {
        self.connector.user().await
    }

    /// The workspace's client; `None` if nothing is asked of a workspace.
    #[must_use]
    pub fn workspace(&self) -> Option<&WorkspaceClient> {
        self.workspace.as_ref()
    }

    /// The connector, which logs in other drivers through their [`ConnectionFactory`](lakebase_core::ConnectionFactory).
    #[must_use]
    pub fn connector(&self) -> &Connector {
        &self.connector
    }
}

impl fmt::Debug for Lakebase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lakebase").field("connector", &self.connector).finish_non_exhaustive()
    }
}
