//! Puts what the program and its environment say together to a [`Lakebase`].

use std::sync::Arc;
use std::time::Duration;

use lakebase_core::connect::{Auth, ConnectPolicy, Connector, ConnectorConfig, Sources};
use lakebase_core::{
    Error, ErrorKind, Result, Runtime, Setting, SettingOrigin, SslMode, Target, Tls,
};
use lakebase_runtime::{Options, Proxies};
use lakebase_workspace::WorkspaceClient;

use crate::default_runtime::default_runtime;
use crate::mode::Mode;
use crate::settings::{Settings, check_choice};
use crate::{Builder, Lakebase, observe, parameters};

/// The database that every project has at first.
const DEFAULT_DATABASE: &str = "databricks_postgres";

/// The longest that a proxy may take to open a way. One attempt to fetch a token has ten seconds.
const MOST_FOR_A_PROXY: Duration = Duration::from_secs(8);

/// How long a local server is waited for; it has nothing to wake.
const LOCAL_BUDGET: Duration = Duration::from_secs(10);

impl Builder {
    pub(crate) fn assemble(mut self, runtime: Option<Runtime>) -> Result<Lakebase> {
        let explicit = std::mem::take(&mut self.settings);
        let environment = self.environment.clone();
        let settings = Settings::new(&explicit, &environment)?;
        let mode = settings.mode()?;
        if let Some(url) = settings.last_resort() {
            observe::last_resort(&url);
        }
        parameters::unread(&environment).iter().for_each(observe::variable_not_read);
        let options = self.runtime_options(&settings)?;
        let mut runtime = match runtime {
            Some(runtime) => runtime,
            None => default_runtime(&options)?,
        };
        if let Some(hosts) = self.hosts.take() {
            runtime.hosts = hosts;
        }
        let (target, auth) = self.login(&settings, mode);
        let is_static = target.is_none();
        let access = match self.access {
            Some(access) => Some(Setting::explicit("access", access)),
            None => settings.access()?,
        };
        if let (true, Some(access)) = (is_static, &access) {
            check_choice(access)?;
        }
        let (host, socket_directory) = settings.host();
        let host = match &target {
            // The search finds it, and only then is it connected to.
            Some(Target::Host(_)) => None,
            None if host.is_none() && socket_directory.is_none() => Some("localhost".into()),
            _ => host,
        };
        // An obstacle to every login is reported before one is tried.
        if let (Some(host), None) = (&host, &socket_directory) {
            runtime.dial.route(host, settings.port()?)?;
        }
        let has_server = host.is_some() || socket_directory.is_some();
        let user = settings.text("user");
        if user.is_none() && !matches!(auth, Auth::Credential { .. }) {
            return Err(Error::new(
                ErrorKind::Config,
                "logging in without a token needs a user; set user, PGUSER, or the user in the URL",
            ));
        }
        let workspace = self
            .complete_sources(&auth, has_server, user.is_some(), &runtime)
            .map_err(|error| explain_host(&settings, target.as_ref(), error))?;
        let database = match (settings.text("database"), &user) {
            (Some(database), _) => database,
            (None, Some(user)) if is_static => Arc::clone(user),
            (None, _) => DEFAULT_DATABASE.into(),
        };
        let config = ConnectorConfig {
            target,
            access: access.map(|access| access.value).unwrap_or_default(),
            pooled: self.pooled,
            host,
            socket_directory,
            addresses: settings.addresses()?,
            port: settings.port()?,
            database,
            user,
            tls: tls(&settings, is_static, &auth, &options)?,
            ssl_mode_origin: settings.get("sslmode").map(|setting| setting.origin),
            auth,
            tcp: self.tcp.map_or_else(|| settings.tcp(), Ok)?,
            load_balance_hosts: settings.load_balance_hosts()?,
            require_auth: settings.require_auth()?,
            application_name: settings
                .text("application_name")
                .or_else(|| settings.text("fallback_application_name"))
                .or_else(|| Some(concat!("lakebase-rust/", env!("CARGO_PKG_VERSION")).into())),
            options: settings.options()?,
            policy: self.policy(&settings, is_static)?,
        };
        let connector = Connector::new(config, self.sources, &runtime)?;
        Ok(Lakebase::new(connector, workspace))
    }

    fn runtime_options(&self, settings: &Settings<'_>) -> Result<Options> {
        // The error that names a silent proxy is due before the budget is spent.
        let budget = settings.connect_timeout()?.unwrap_or(self.policy.budget);
        let mut options =
            Options::new().proxies(self.proxies()?).proxy_timeout(MOST_FOR_A_PROXY.min(budget / 2));
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

    /// The program's proxies, else the environment's.
    pub(crate) fn proxies(&self) -> Result<Proxies> {
        let mut proxies = Proxies::from_environment(&self.environment);
        if let Some(proxy) = &self.http_proxy {
            proxies = proxies.with_http(proxy)?;
        }
        if let Some(proxy) = &self.postgres_proxy {
            proxies = proxies.with_postgres(proxy)?;
        }
        Ok(proxies)
    }

    /// What to connect to, and how to prove who is logging in.
    fn login(&self, settings: &Settings<'_>, mode: Mode) -> (Option<Target>, Auth) {
        let token = || Auth::Credential { ttl: self.ttl, claims: self.claims.clone() };
        let password = settings.password().map(|password| Auth::Password(password.value));
        if let (None, Some(reason)) = (&password, settings.ignored_password_file()) {
            observe::password_file_ignored(&reason);
        }
        match (mode, password) {
            (Mode::Lakebase(target), password) => (Some(target), password.unwrap_or_else(token)),
            (Mode::Static, Some(password)) => (None, password),
            (Mode::Static, None) => match settings.host() {
                (Some(host), None) if !settings.is_local() => (Some(Target::Host(host)), token()),
                _ => (None, Auth::Nothing),
            },
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
        client.route()?;
        credentials.get_or_insert_with(|| Arc::new(client.clone()));
        endpoints.get_or_insert_with(|| Arc::new(client.clone()));
        users.get_or_insert_with(|| Arc::new(client.clone()));
        Ok(Some(client))
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

fn tls(settings: &Settings<'_>, is_static: bool, auth: &Auth, options: &Options) -> Result<Tls> {
    let system_roots = settings.get("sslrootcert").filter(|roots| roots.value == "system");
    let may_be_weak = is_static && settings.is_local() && system_roots.is_none();
    let default = if may_be_weak { SslMode::Prefer } else { SslMode::VerifyFull };
    let mode = settings.ssl_mode()?.unwrap_or(default);
    let is_token = matches!(auth, Auth::Credential { .. });
    // As libpq: a user who names the system's authorities wants the server verified by them.
    if let Some(roots) = system_roots.filter(|_| mode != SslMode::VerifyFull && !is_token) {
        let problem = format!("system needs sslmode verify-full, but sslmode is {mode}");
        return Err(roots.error(problem));
    }
    let mut options = options.clone();
    if let Some(roots) = settings.root_certificates()? {
        let origin: SettingOrigin = roots.origin.clone();
        options = options
            .root_certificates_pem(&roots.value)
            .map_err(|error| Setting::new((), origin).error(&error).with_source(error))?;
    }
    // With a token, what is weaker is raised to `verify-full`.
    let is_verified = matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull)
        || (is_token && mode != SslMode::Disable);
    let extra_roots = if is_verified { lakebase_runtime::extra_roots_pem(&options) } else { None };
    Ok(Tls { mode, extra_roots })
}

/// Says why a workspace is needed at all, where only a host is configured.
fn explain_host(settings: &Settings<'_>, target: Option<&Target>, error: Error) -> Error {
    match (target, settings.get("host")) {
        (Some(Target::Host(_)), Some(host)) => {
            let ignored = settings.ignored_password_file();
            let ignored = ignored.map_or(String::new(), |reason| format!("; {reason}"));
            host.error(format!(
                "without a password the login to a host is made with a token of a workspace identity; set PGPASSWORD \
                 for a native role, or a workspace (DATABRICKS_HOST) and an identity in it{ignored}"
            ))
            .with_source(error)
        }
        _ => error,
    }
}
