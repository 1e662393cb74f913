//! Collects what the program sets and builds a [`Lakebase`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lakebase_core::connect::{Auth, ConnectPolicy, Connector, ConnectorConfig, Sources};
use lakebase_core::{
    Access, Claim, CredentialSource, EndpointResolver, Environment, Error, ErrorKind, HostResolver,
    Result, Runtime, Secret, Setting, SettingOrigin, SslMode, Tls, UserResolver,
};
use lakebase_runtime::Options;
use lakebase_workspace::{
    EffectiveSetting, WorkspaceClient, WorkspaceConfig, WorkspaceConfigBuilder,
};

use crate::default_runtime::{HasRuntime, default_runtime};
use crate::settings::{Place, SETTINGS, Settings};
use crate::{Lakebase, process};

/// The database that every project has at first.
const DEFAULT_DATABASE: &str = "databricks_postgres";

/// How long a local server is waited for; it has nothing to wake.
const LOCAL_BUDGET: Duration = Duration::from_secs(10);

/// Collects settings for a [`Lakebase`]; nothing is read or checked before [`build`](Self::build).
///
/// What is not set here comes from the connection URL, if there is one, then from the environment, then
/// from a profile file: see the [crate's documentation](crate#configuration).
#[must_use]
pub struct Builder {
    settings: BTreeMap<&'static str, Setting<String>>,
    environment: Environment,
    workspace: WorkspaceConfigBuilder,
    sources: Sources,
    hosts: Option<Arc<dyn HostResolver>>,
    access: Access,
    pooled: bool,
    ttl: Option<Duration>,
    claims: Vec<Claim>,
    roots: Option<Bytes>,
    policy: ConnectPolicy,
    #[cfg(feature = "http-reqwest")]
    reqwest: bool,
    #[cfg(feature = "http-surf")]
    surf: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            settings: BTreeMap::new(),
            environment: process::environment(),
            workspace: WorkspaceConfig::builder().product("lakebase", env!("CARGO_PKG_VERSION")),
            sources: Sources::default(),
            hosts: None,
            access: Access::default(),
            pooled: false,
            ttl: None,
            claims: Vec::new(),
            roots: None,
            policy: ConnectPolicy::default(),
            #[cfg(feature = "http-reqwest")]
            reqwest: false,
            #[cfg(feature = "http-surf")]
            surf: false,
        }
    }
}

impl Builder {
    /// The endpoint, as its full resource name. `LAKEBASE_ENDPOINT`.
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

    /// A connection URL instead of an endpoint, e.g. of a local server. `LAKEBASE_PG_URL`.
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

    /// The host, instead of the one that the workspace reports. `PGHOST`.
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
    /// Tokens need `verify-full`, except to this machine. `PGSSLMODE`.
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

    /// DNS servers for names that the system's resolver does not find: `ip:port`, separated by commas.
    /// Default: those of `/etc/resolv.conf`. `LAKEBASE_DNS`.
    pub fn dns(self, servers: impl Into<String>) -> Self {
        self.set("dns", servers)
    }

    /// The kind of endpoint that is wanted. Default: the read-write one.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
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

    /// Looks host names up with `resolver` before the direct DNS query, instead of the system's resolver.
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
    /// [`ErrorKind::Config`] if there is no such setting.
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
    /// [`ErrorKind::Config`] if there is a URL that cannot be read, or that contradicts a project or endpoint.
    pub fn effective_settings(&self) -> Result<Vec<EffectiveSetting>> {
        Ok(Settings::new(&self.settings, &self.environment)?.report())
    }

    /// The workspace's settings that are found, each with its origin, whether or not the workspace is needed.
    ///
    /// # Errors
    ///
    /// As [`WorkspaceConfigBuilder::effective_settings`].
    pub fn workspace_settings(&self) -> Result<Vec<EffectiveSetting>> {
        self.workspace.effective_settings(&self.environment)
    }

    /// Reads and checks all settings; asks no service yet.
    ///
    /// The runtime is the one whose feature is enabled; with several, it is found at each call: a running
    /// tokio context wins, then smol, then async-std. Without any this does not compile.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] or [`ErrorKind::Unsupported`]; the message names the setting, where its value
    /// came from, and what is accepted.
    pub fn build(self) -> Result<Lakebase>
    where
        for<'a> Self: HasRuntime<'a>,
    {
        self.assemble(None)
    }

    /// The same with effects of the caller's.
    ///
    /// Settings about DNS and certificates for HTTPS have no effect on these.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_with(self, runtime: Runtime) -> Result<Lakebase> {
        self.assemble(Some(runtime))
    }

    fn assemble(mut self, runtime: Option<Runtime>) -> Result<Lakebase> {
        let explicit = std::mem::take(&mut self.settings);
        let environment = self.environment.clone();
        let settings = Settings::new(&explicit, &environment)?;
        let place = settings.place()?;
        let options = self.runtime_options(&settings)?;
        let mut runtime = match runtime {
            Some(runtime) => runtime,
            None => default_runtime(&options)?,
        };
        if let Some(hosts) = self.hosts.take() {
            runtime.hosts = hosts;
        }
        let is_static = matches!(place, Place::Static);
        let target = match place {
            Place::Lakebase(target) => Some(target),
            Place::Static => None,
        };
        let auth = self.auth(&settings, is_static)?;
        let (host, socket_directory) = settings.host();
        let has_server = host.is_some() || socket_directory.is_some();
        let host = if is_static && !has_server { Some("localhost".into()) } else { host };
        let user = settings.text("user");
        if user.is_none() && !matches!(auth, Auth::Credential { .. }) {
            return Err(Error::new(
                ErrorKind::Config,
                "logging in without a token needs a user; set user, PGUSER, or the user in the URL",
            ));
        }
        let workspace =
            self.complete_sources(&auth, host.is_some() || has_server, user.is_some(), &runtime)?;
        let database = match (settings.text("database"), &user) {
            (Some(database), _) => database,
            (None, Some(user)) if is_static => Arc::clone(user),
            (None, _) => DEFAULT_DATABASE.into(),
        };
        let config = ConnectorConfig {
            target,
            access: self.access,
            pooled: self.pooled,
            host,
            socket_directory,
            addresses: settings.addresses()?,
            port: settings.port()?,
            database,
            user,
            auth,
            tls: self.tls(&settings, is_static, &options)?,
            application_name: settings
                .text("application_name")
                .or_else(|| Some(concat!("lakebase-rust/", env!("CARGO_PKG_VERSION")).into())),
            options: settings.options()?,
            policy: self.policy(&settings, is_static)?,
        };
        let connector = Connector::new(config, self.sources, &runtime)?;
        Ok(Lakebase::new(connector, workspace))
    }

    fn runtime_options(&self, settings: &Settings<'_>) -> Result<Options> {
        let mut options = Options::new();
        if let Some(dns) = settings.get("dns") {
            let servers = dns.try_map(|text| lakebase_runtime::parse_servers(&text))?;
            options = options.dns_servers(servers.value);
        }
        if let Some(roots) = &self.roots {
            options = options.root_certificates_pem(roots)?;
        }
        #[cfg(feature = "http-reqwest")]
        {
            options = options.reqwest(self.reqwest);
        }
        #[cfg(feature = "http-surf")]
        {
            options = options.surf(self.surf);
        }
        Ok(options)
    }

    fn auth(&self, settings: &Settings<'_>, is_static: bool) -> Result<Auth> {
        if let Some(password) = settings.password() {
            return Ok(Auth::Password(password.value));
        }
        if !is_static {
            return Ok(Auth::Credential { ttl: self.ttl, claims: self.claims.clone() });
        }
        match settings.get("host") {
            Some(host) if !settings.is_local() => Err(host.error(
                "a host alone cannot be logged in to; set LAKEBASE_ENDPOINT or LAKEBASE_PROJECT to log in with \
                 tokens, or PGPASSWORD for a native role",
            )),
            _ => Ok(Auth::Nothing),
        }
    }

    /// The workspace, if anything is to be asked of it; fills in the sources that the program left out.
    fn complete_sources(
        &mut self,
        auth: &Auth,
        has_host: bool,
        has_user: bool,
        runtime: &Runtime,
    ) -> Result<Option<WorkspaceClient>> {
        let Sources { credentials, endpoints, users } = &mut self.sources;
        let with_token = matches!(auth, Auth::Credential { .. });
        let missing = (with_token && credentials.is_none())
            || (!has_host && endpoints.is_none())
            || (!has_user && users.is_none());
        if !missing {
            return Ok(None);
        }
        let config = std::mem::take(&mut self.workspace).build(&self.environment)?;
        let client = WorkspaceClient::new(config, runtime);
        credentials.get_or_insert_with(|| Arc::new(client.clone()));
        endpoints.get_or_insert_with(|| Arc::new(client.clone()));
        users.get_or_insert_with(|| Arc::new(client.clone()));
        Ok(Some(client))
    }

    fn tls(&self, settings: &Settings<'_>, is_static: bool, options: &Options) -> Result<Tls> {
        let default =
            if is_static && settings.is_local() { SslMode::Prefer } else { SslMode::VerifyFull };
        let mode = settings.ssl_mode()?.unwrap_or(default);
        let mut options = options.clone();
        if let Some(roots) = settings.root_certificates()? {
            let origin: SettingOrigin = roots.origin.clone();
            options = options
                .root_certificates_pem(&roots.value)
                .map_err(|error| Setting::new((), origin).error(&error).with_source(error))?;
        }
        let extra_roots = match mode {
            SslMode::VerifyCa | SslMode::VerifyFull => lakebase_runtime::extra_roots_pem(&options),
            _ => None,
        };
        Ok(Tls { mode, extra_roots })
    }

    fn policy(&self, settings: &Settings<'_>, is_static: bool) -> Result<ConnectPolicy> {
        let mut policy = self.policy;
        if is_static && settings.is_local() && policy == ConnectPolicy::default() {
            policy.budget = LOCAL_BUDGET;
        }
        if let Some(timeout) = settings.connect_timeout()? {
            policy.budget = timeout;
        }
        Ok(policy)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.settings.keys().copied().collect();
        f.debug_struct("Builder").field("settings", &names).finish_non_exhaustive()
    }
}
