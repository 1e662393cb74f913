//! The configuration of a [`Connector`](super::Connector), and the logins that it prepares.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{ConnectPolicy, LoadBalanceHosts, RequireAuth, StartupOption, TcpOptions};
use crate::refresh::Generation;
use crate::{
    Access, Claim, ConnectParams, CredentialSource, EndpointResolver, Secret, SettingOrigin,
    Target, Tls, UserResolver,
};

/// How a login authenticates.
#[derive(Clone, Debug)]
pub enum Auth {
    /// With database credentials from [`Sources::credentials`].
    Credential {
        /// The requested lifetime of each; `None` requests the service's default (1 hour).
        ttl: Option<Duration>,
        /// The permissions of each token; empty means everything that the identity may do.
        claims: Vec<Claim>,
    },
    /// With the password of a native Postgres role.
    Password(Secret),
    /// Without a password (trust or peer authentication of a local server).
    Nothing,
}

/// The sources of what is not configured.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Database credentials; needed for [`Auth::Credential`].
    pub credentials: Option<Arc<dyn CredentialSource>>,
    /// Endpoints; needed unless a host is configured and the target is a named endpoint.
    pub endpoints: Option<Arc<dyn EndpointResolver>>,
    /// The user name; needed unless one is configured.
    pub users: Option<Arc<dyn UserResolver>>,
}

/// The settings of a connector: what to connect to, and how. [`Connector::new`](super::Connector::new) checks it.
#[derive(Clone, Debug)]
pub struct ConnectorConfig {
    /// What to connect to; needed unless `host` is set and no credential is used.
    pub target: Option<Target>,
    /// The wanted access, which selects among a branch's endpoints and an endpoint's hosts.
    pub access: Access,
    /// Whether to use the endpoint's pooler, which takes native passwords only.
    pub pooled: bool,
    /// The host, instead of the one that the service reports. With a credential it must be a host that the service
    /// reports for the target, or this machine.
    pub host: Option<Arc<str>>,
    /// The folder of the server's Unix socket, instead of TCP.
    pub socket_directory: Option<PathBuf>,
    /// The addresses, instead of a lookup of the host (libpq's `hostaddr`).
    pub addresses: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: Arc<str>,
    /// The user, instead of the identity's name.
    pub user: Option<Arc<str>>,
    /// How a login authenticates.
    pub auth: Auth,
    /// TLS. With a credential every mode but `disable` is raised to `verify-full`, except to this machine.
    pub tls: Tls,
    /// The origin of [`Tls::mode`], for messages; `None` for a default.
    pub ssl_mode_origin: Option<SettingOrigin>,
    /// Options of the TCP socket.
    pub tcp: TcpOptions,
    /// The order in which a host's addresses are tried.
    pub load_balance_hosts: LoadBalanceHosts,
    /// The ways to authenticate that the server may ask for.
    pub require_auth: RequireAuth,
    /// `application_name` at start-up.
    pub application_name: Option<Arc<str>>,
    /// Further server settings at start-up.
    pub options: Vec<StartupOption>,
    /// How long and how often a login is tried.
    pub policy: ConnectPolicy,
}

/// The parameters of one login, and which credential it uses.
#[derive(Clone, Debug)]
pub struct Login {
    /// The parameters for the driver.
    pub params: Arc<ConnectParams>,
    /// `None` without a credential.
    pub(super) credential: Option<UsedCredential>,
}

/// The credential of one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedCredential {
    pub(super) generation: Generation,
    /// When it was requested, by the monotonic clock.
    pub(super) requested_at: Duration,
}
