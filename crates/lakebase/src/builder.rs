//! Collects what the program sets and builds a [`Lakebase`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lakebase_core::connect::{ConnectPolicy, LoadBalanceHosts, Sources, TcpOptions};
use lakebase_core::{
    Access, Claim, CredentialSource, EndpointResolver, Environment, HostResolver, Result, Runtime,
    Secret, Setting, SslMode, UserResolver,
};
use lakebase_workspace::{EffectiveSetting, SettingValue, WorkspaceConfig, WorkspaceConfigBuilder};

use crate::default_runtime::HasRuntime;
use crate::settings::{SETTINGS, Settings};
use crate::{Lakebase, process};

/// Collects settings for a [`Lakebase`]; nothing is read or checked before [`build`](Self::build).
///
/// Settings that are not made here come from the connection URL, if there is one, then from the environment, then
/// from a profile file: see the [crate's documentation](crate#configuration).
#[must_use]
pub struct Builder {
    pub(crate) settings: BTreeMap<&'static str, Setting<String>>,
    pub(crate) environment: Environment,
    pub(crate) workspace: WorkspaceConfigBuilder,
    pub(crate) sources: Sources,
    pub(crate) hosts: Option<Arc<dyn HostResolver>>,
    pub(crate) access: Option<Access>,
    pub(crate) tcp: Option<TcpOptions>,
    pub(crate) pooled: bool,
    pub(crate) ttl: Option<Duration>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) roots: Option<Bytes>,
    pub(crate) policy: ConnectPolicy,
    pub(crate) http_proxy: Option<Setting<Secret>>,
    pub(crate) postgres_proxy: Option<Setting<Secret>>,
    #[cfg(feature = "http-reqwest")]
    pub(crate) reqwest: bool,
    #[cfg(feature = "http-surf")]
    pub(crate) surf: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            settings: BTreeMap::new(),
            environment: process::environment(),
            workspace: WorkspaceConfig::builder().product("lakebase", env!("CARGO_PKG_VERSION")),
            sources: Sources::default(),
            hosts: None,
            access: None,
            tcp: None,
            pooled: false,
            ttl: None,
            claims: Vec::new(),
            roots: None,
            policy: ConnectPolicy::default(),
            http_proxy: None,
            postgres_proxy: None,
            #[cfg(feature = "http-reqwest")]
            reqwest: false,
            #[cfg(feature = "http-surf")]
            surf: false,
        }
    }
}

impl Builder {
    /// The endpoint, as its full resource name. `LAKEBASE_ENDPOINT`; also `PGENDPOINT` and `ENDPOINT_NAME`, where
    /// the value has the form of such a name.
    pub fn endpoint(self, name: impl Into<String>) -> Self {
        self.set("endpoint", name)
    }

    /// The project, by id; its branch's endpoint is found by type. `LAKEBASE_PROJECT`.
    pub fn project(self, id: impl Into<String>) -> Self {
        self.set("project", id)
    }

    /// The branch of the project, by id. Default: `production`. `LAKEBASE_BRANCH`.
    pub fn branch(self, id: impl Into<String>) -> Self {
        self.set("branch", id)
    }

    /// A connection URL instead of an endpoint. `LAKEBASE_PG_URL`; `DATABASE_URL` if nothing else says what to
    /// connect to.
    ///
    /// With a password in it, or for a server of this machine, no workspace is asked. Otherwise the login is made
    /// with a token, and its host is searched for in the workspace, as with [`host`](Self::host).
    ///
    /// Also in libpq's other form, `host=… dbname=…`. [`connection_string`](crate::connection_string) lists the
    /// parameters and what becomes of each.
    pub fn url(self, url: impl Into<String>) -> Self {
        self.set("url", url)
    }

    /// The database. Default: `databricks_postgres`; with a URL the user's name, as in libpq. `PGDATABASE`.
    pub fn database(self, name: impl Into<String>) -> Self {
        self.set("database", name)
    }

    /// The Postgres role. Default: the name of the workspace identity. `PGUSER`.
    pub fn user(self, name: impl Into<String>) -> Self {
        self.set("user", name)
    }

    /// The password of a native role; logs in with it instead of tokens. `PGPASSWORD`.
    pub fn password(self, password: impl Into<Secret>) -> Self {
        self.set("password", password.into().expose())
    }

    /// The host. `PGHOST`.
    ///
    /// With an endpoint or project it replaces the host that the workspace reports. Alone it is enough: without a
    /// password, the endpoint or Provisioned instance that has it is searched for in the workspace, and the login
    /// is made with a token for that. A token goes only to a host that the workspace reports, or to this machine.
    ///
    /// The search takes one request for each page of the lists of projects, of their branches and of their
    /// endpoints, up to the match, at most eight at a time; for `instance-{uid}.…` it takes one. The result is
    /// kept like every endpoint. Naming the endpoint is faster: it takes one request beside the others.
    pub fn host(self, host: impl Into<String>) -> Self {
        self.set("host", host)
    }

    /// The address to connect to; TLS still verifies the host's name. `PGHOSTADDR`.
    pub fn hostaddr(self, address: impl Into<String>) -> Self {
        self.set("hostaddr", address)
    }

    /// The port. Default: 5432. `PGPORT`.
    pub fn port(self, port: u16) -> Self {
        self.set("port", port.to_string())
    }

    /// How far the server is verified. Default: `verify-full`; for a URL of this machine `prefer`.
    /// With a token, modes below `verify-full` are raised to it and `disable` is an error, except to this
    /// machine: see [`SslMode`]. `PGSSLMODE`.
    pub fn sslmode(self, mode: SslMode) -> Self {
        self.set("sslmode", mode.as_str())
    }

    /// Certificates to trust besides the public and the platform's ones, as PEM: for the workspace's HTTPS
    /// and for Postgres. For Postgres alone there is the file that `PGSSLROOTCERT` names.
    pub fn root_certificates(mut self, pem: impl Into<Bytes>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// `application_name` at start-up. Default: `lakebase-rust/` and the version. `PGAPPNAME`.
    pub fn application_name(self, name: impl Into<String>) -> Self {
        self.set("application_name", name)
    }

    /// Start-up options as libpq writes them: `-c name=value`. `PGOPTIONS`.
    pub fn options(self, options: impl Into<String>) -> Self {
        self.set("options", options)
    }

    /// DNS servers for names that the system's resolver does not find within a second: `ip:port`, separated by commas.
    /// Default: those that the system uses. `LAKEBASE_DNS`.
    pub fn dns(self, servers: impl Into<String>) -> Self {
        self.set("dns", servers)
    }

    /// The proxy that all HTTP goes through, as `http://user:password@host:port`, with special characters of user
    /// and password percent-encoded; an empty text stands for none. Default: what `HTTPS_PROXY`, `HTTP_PROXY`,
    /// `ALL_PROXY` and `NO_PROXY` say.
    ///
    /// These variables, `NO_PROXY` among them, have no effect on HTTP then. The proxy is asked to `CONNECT`, for plain
    /// `http://` to this machine too; `https://` before its host means that the proxy itself speaks TLS, `socks5://` and
    /// `socks5h://` that it speaks SOCKS 5, as in [`postgres_proxy`](Self::postgres_proxy). Hosts on
    /// the link (169.254.0.0/16, fe80::/10) are never proxied. Postgres does not go through it.
    pub fn http_proxy(mut self, url: impl Into<Secret>) -> Self {
        self.http_proxy = Some(Setting::explicit("http_proxy", url.into()));
        self
    }

    /// The SOCKS 5 proxy that connections to Postgres go through, as `socks5h://user:password@host:port`, with special
    /// characters of user and password percent-encoded; an empty text stands for none. Default: `ALL_PROXY`, if that is a SOCKS
    /// proxy, except for hosts in `NO_PROXY`.
    ///
    /// Both variables have no effect on Postgres then. With `socks5h://` the proxy looks the host up, and this machine does not, nor
    /// is [`dns`](Self::dns) asked; with `socks5://` it gets addresses. The port is 1080 by default. TLS runs inside, to the
    /// server itself. Servers on this machine and on the link are reached directly. HTTP does not go through it.
    pub fn postgres_proxy(mut self, url: impl Into<Secret>) -> Self {
        self.postgres_proxy = Some(Setting::explicit("postgres_proxy", url.into()));
        self
    }

    /// The kind of endpoint that is wanted. Default: the read-write one. `PGTARGETSESSIONATTRS`, where `standby` stands
    /// for [`Access::ReadOnly`] and `prefer-standby` for [`Access::PreferReadOnly`].
    ///
    /// A server that is named by host or URL leaves no choice, so `ReadOnly` is an error there.
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// The options of TCP sockets. Default: [`TcpOptions::default`], changed by a connection URL's `keepalives`,
    /// `keepalives_idle`, `keepalives_interval`, `keepalives_count` and `tcp_user_timeout`, which this replaces.
    pub fn tcp(mut self, options: TcpOptions) -> Self {
        self.tcp = Some(options);
        self
    }

    /// In which order the addresses of a host are tried. Default: in that of the resolver. `PGLOADBALANCEHOSTS`.
    pub fn load_balance_hosts(self, order: LoadBalanceHosts) -> Self {
        self.set("load_balance_hosts", order.as_str())
    }

    /// The file with the passwords of native roles, for a server that is named by host or URL. Default: `~/.pgpass`,
    /// on Windows `%APPDATA%\postgresql\pgpass.conf`. `PGPASSFILE`.
    ///
    /// It is read if nothing else sets a password. A file that others may read is not used, and a warning says so.
    pub fn passfile(self, path: impl Into<String>) -> Self {
        self.set("passfile", path)
    }

    /// Connects through the endpoint's built-in pooler, which takes native passwords only. Default: no.
    pub fn pooled(mut self, pooled: bool) -> Self {
        self.pooled = pooled;
        self
    }

    /// How long each token shall live: 5 minutes to 1 hour. Default: 1 hour.
    pub fn token_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Narrows tokens to tables of Unity Catalog. Default: all that the identity may do.
    pub fn claims(mut self, claims: impl Into<Vec<Claim>>) -> Self {
        self.claims = claims.into();
        self
    }

    /// How long and how often a login is tried. `PGCONNECT_TIMEOUT` sets the budget alone.
    pub fn connect_policy(mut self, policy: ConnectPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The workspace and the identity in it.
    ///
    /// ```
    /// # use lakebase::{Lakebase, workspace::WorkspaceConfig};
    /// let builder = Lakebase::builder().workspace(
    ///     WorkspaceConfig::builder().host("dbc-1234.cloud.databricks.com").profile("staging"),
    /// );
    /// ```
    pub fn workspace(mut self, workspace: WorkspaceConfigBuilder) -> Self {
        self.workspace = workspace;
        self
    }

    /// Takes database credentials from `source` instead of the workspace.
    pub fn credential_source(mut self, source: Arc<dyn CredentialSource>) -> Self {
        self.sources.credentials = Some(source);
        self
    }

    /// Finds endpoints with `resolver` instead of the workspace.
    pub fn endpoint_resolver(mut self, resolver: Arc<dyn EndpointResolver>) -> Self {
        self.sources.endpoints = Some(resolver);
        self
    }

    /// Finds the user's name with `resolver` instead of the workspace.
    pub fn user_resolver(mut self, resolver: Arc<dyn UserResolver>) -> Self {
        self.sources.users = Some(resolver);
        self
    }

    /// Looks host names up with `resolver` instead of the system's resolver. A direct DNS query follows if it fails, or has not
    /// answered within a second.
    pub fn host_resolver(mut self, resolver: Arc<dyn HostResolver>) -> Self {
        self.hosts = Some(resolver);
        self
    }

    /// Reads variables and files here instead of from the process.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sends HTTP through reqwest on tokio. Default: no.
    #[cfg(feature = "http-reqwest")]
    pub fn reqwest(mut self, reqwest: bool) -> Self {
        self.reqwest = reqwest;
        self
    }

    /// Sends HTTP through surf. Default: no. See lakebase-runtime's documentation about surf's state.
    #[cfg(feature = "http-surf")]
    pub fn surf(mut self, surf: bool) -> Self {
        self.surf = surf;
        self
    }

    /// Sets `name` with an origin of the caller's, such as a command-line flag, for error messages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no such setting.
    pub fn setting(mut self, name: &str, setting: Setting<String>) -> Result<Self> {
        let Some((name, _)) = SETTINGS.iter().find(|(known, _)| *known == name) else {
            return Err(setting.error(format!("there is no setting {name:?}")));
        };
        self.settings.insert(name, setting);
        Ok(self)
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.insert(name, Setting::explicit(name, value.into()));
        self
    }

    /// The connection's settings that are in effect, by name, each with its origin; nothing is validated but
    /// the form of a connection URL. For diagnosis, also where [`build`](Self::build) fails.
    ///
    /// The workspace's are [`workspace_settings`](Self::workspace_settings).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is a URL that cannot be read, or that contradicts a project or endpoint.
    pub fn effective_settings(&self) -> Result<Vec<EffectiveSetting>> {
        Ok(Settings::new(&self.settings, &self.environment)?.report())
    }

    /// The workspace's settings that are found, each with its origin, whether or not the workspace is needed; and
    /// the proxies on the way there, without user and password.
    ///
    /// # Errors
    ///
    /// As [`WorkspaceConfigBuilder::effective_settings`].
    pub fn workspace_settings(&self) -> Result<Vec<EffectiveSetting>> {
        let mut settings = self.workspace.effective_settings(&self.environment)?;
        let proxies = self.proxies().unwrap_or_default().settings();
        settings.extend(proxies.into_iter().map(|(key, Setting { value, origin })| {
            EffectiveSetting { key, value: SettingValue::Plain(value), origin }
        }));
        Ok(settings)
    }

    /// Reads and checks all settings; asks no service yet.
    ///
    /// The runtime is the one whose feature is enabled; with several, it is found at each call: a running
    /// tokio context wins, then smol, then async-std. Without any this does not compile.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) or [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported); the message names the setting, where its value
    /// came from, and what is accepted.
    pub fn build(self) -> Result<Lakebase>
    where
        for<'a> Self: HasRuntime<'a>,
    {
        self.assemble(None)
    }

    /// The same with effects of the caller's.
    ///
    /// Settings about DNS, proxies and certificates for HTTPS have no effect on these.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_with(self, runtime: Runtime) -> Result<Lakebase> {
        self.assemble(Some(runtime))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.settings.keys().copied().collect();
        f.debug_struct("Builder").field("settings", &names).finish_non_exhaustive()
    }
}
