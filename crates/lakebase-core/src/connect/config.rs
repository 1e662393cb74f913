//! What a [`Connector`](super::Connector) is made from, and the logins that it puts together.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{ConnectParams, ConnectPolicy, LoadBalanceHosts, StartupOption, TcpOptions, Tls};
use crate::refresh::Generation;
use crate::{
    Access, Claim, CredentialSource, EndpointResolver, Secret, SettingOrigin, Target, UserResolver,
};

/// How to prove who is logging in.
#[derive(Clone, Debug)]
pub enum Auth {
    /// With database credentials from [`Sources::credentials`], fetched and refreshed as needed.
    Credential {
        /// How long each shall live; `None` leaves it to the service (1 hour).
        ttl: Option<Duration>,
        /// Narrows each; empty means everything that the identity may do.
        claims: Vec<Claim>,
    },
    /// With the password of a native Postgres role.
    Password(Secret),
    /// With nothing (trust or peer authentication of a local server).
    Nothing,
}

/// Where the parts of a login that are not configured come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Database credentials; needed for [`Auth::Credential`].
    pub credentials: Option<Arc<dyn CredentialSource>>,
    /// Endpoints; needed unless a host is configured and the target is a named endpoint.
    pub endpoints: Option<Arc<dyn EndpointResolver>>,
    /// The user name; needed unless one is configured.
    pub users: Option<Arc<dyn UserResolver>>,
}

/// What to connect to, and how. Plain data; [`Connector::new`](super::Connector::new) checks it.
#[derive(Clone, Debug)]
pub struct ConnectorConfig {
    /// What to connect to; needed unless `host` is set and no credential is used.
    pub target: Option<Target>,
    /// The kind of endpoint that is wanted.
    pub access: Access,
    /// Use the endpoint's built-in pooler; native passwords only.
    pub pooled: bool,
    /// The host, instead of the one that the service reports. With a credential it must be one of those that
    /// the service reports for the target, or this machine.
    pub host: Option<Arc<str>>,
    /// A folder with the server's Unix socket, instead of TCP.
    pub socket_directory: Option<PathBuf>,
    /// The addresses, instead of looking the host up (libpq's `hostaddr`).
    pub addresses: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: Arc<str>,
    /// The user, instead of the identity's name.
    pub user: Option<Arc<str>>,
    /// How to prove who is logging in.
    pub auth: Auth,
    /// How the connection is protected. With a credential every mode but `disable` counts as `verify-full`,
    /// except to this machine.
    pub tls: Tls,
    /// Where [`Tls::mode`] came from, for messages; `None` for a default.
    pub ssl_mode_origin: Option<SettingOrigin>,
    /// What is asked of the connection's socket, if it is TCP.
    pub tcp: TcpOptions,
    /// In which order a host's addresses are tried.
    pub load_balance_hosts: LoadBalanceHosts,
    /// `application_name` at start-up.
    pub application_name: Option<Arc<str>>,
    /// Further settings at start-up.
    pub options: Vec<StartupOption>,
    /// How long and how often a login is tried.
    pub policy: ConnectPolicy,
}

/// Parameters for one login, and which credential they hold.
#[derive(Clone, Debug)]
pub struct Login {
    /// What the driver needs.
    pub params: Arc<ConnectParams>,
    /// The credential's generation, for [`Connector::refused`](super::Connector::refused); `None` with native passwords.
    pub generation: Option<Generation>,
}
