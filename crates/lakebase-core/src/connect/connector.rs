//! The connector: its configuration, and the caches of endpoint, user and credential.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::addresses::AddressCache;
use super::params::is_this_machine;
use super::token::check_host_is_direct;
use super::{Auth, ConnectorConfig, Login, Sources};
use crate::notify::lock;
use crate::observe;
use crate::origins::{CredentialCache, EndpointFact, Fact, UserFact};
use crate::refresh::{Cache, Policy, Status};
use crate::{
    ComputeName, CredentialRequest, CredentialSource, Endpoint, Error, ErrorKind, Result, Runtime,
    SslMode, Target, UserResolver,
};

/// Logs in. Connections, pools and proxies all use it.
///
/// Cheap to clone; clones share the cached endpoint, user and credential.
#[derive(Clone)]
pub struct Connector(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: ConnectorConfig,
    pub(super) runtime: Runtime,
    credentials: Option<Arc<dyn CredentialSource>>,
    pub(super) endpoint: Option<Cache<Fact<Endpoint>>>,
    user: Option<Cache<Fact<Arc<str>>>>,
    /// The credentials for the endpoint that was found last.
    credential_cache: Mutex<Option<(ComputeName, CredentialCache)>>,
    pub(super) addresses: Arc<AddressCache>,
    /// Whether an event has reported that the verification is raised.
    pub(super) raise_reported: AtomicBool,
}

impl Connector {
    /// A connector for `config`. It asks no service before the first login.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a part is missing or contradicts another.
    pub fn new(config: ConnectorConfig, sources: Sources, runtime: &Runtime) -> Result<Self> {
        observe::describe();
        let fail = |message: &str| Err(Error::new(ErrorKind::Config, message));
        let Sources { credentials, endpoints, users } = sources;
        if matches!(config.auth, Auth::Credential { .. }) {
            if credentials.is_none() {
                return fail(
                    "logging in with a token needs a workspace to mint it; none is configured",
                );
            }
            if config.target.is_none() {
                return fail(
                    "logging in with a token needs an endpoint, or a project and branch, to mint it for",
                );
            }
            if config.pooled {
                return fail("pooled hosts take native passwords only; tokens are refused there");
            }
            let target = match &config.target {
                Some(Target::Host(host)) => Some(host),
                _ => None,
            };
            for host in config.host.iter().chain(target) {
                check_host_is_direct(host)?;
            }
        }
        let endpoint = match (&config.target, endpoints) {
            (Some(target), Some(resolver)) => {
                let origin =
                    EndpointFact { resolver, target: target.clone(), access: config.access };
                let policy = endpoint_policy(target)?;
                Some(Cache::with_policy(Arc::new(origin), runtime, policy))
            }
            _ => None,
        };
        let local = config.host.is_some() || config.socket_directory.is_some();
        if endpoint.is_none() && !local {
            return fail("there is neither a host nor a workspace that could be asked for one");
        }
        if endpoint.is_none() && matches!(config.target, Some(Target::Branch(_) | Target::Host(_)))
        {
            return fail("finding the endpoint needs a workspace; none is configured");
        }
        let user = users.map(|resolver| Cache::new(Arc::new(UserFact { resolver }), runtime));
        if user.is_none() && config.user.is_none() {
            return fail("there is neither a user nor a workspace that could be asked for one");
        }
        Ok(Self(Arc::new(Inner {
            config,
            runtime: runtime.clone(),
            credentials,
            endpoint,
            user,
            credential_cache: Mutex::new(None),
            addresses: Arc::default(),
            raise_reported: AtomicBool::new(false),
        })))
    }

    /// A connector to the same database for another identity, with the credentials and the name of these sources.
    ///
    /// It shares the cached endpoint, the addresses and the effects, and nothing secret. Its user is the identity's name;
    /// the configured user is ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] unless logins are made [with credentials](Auth::Credential).
    pub fn on_behalf_of(
        &self,
        credentials: Arc<dyn CredentialSource>,
        users: Arc<dyn UserResolver>,
    ) -> Result<Self> {
        let Inner { config, runtime, endpoint, addresses, .. } = &*self.0;
        if !matches!(config.auth, Auth::Credential { .. }) {
            let problem = "logins do not use tokens here, so a user's token cannot log in";
            return Err(Error::new(ErrorKind::Unsupported, problem));
        }
        Ok(Self(Arc::new(Inner {
            config: ConnectorConfig { user: None, ..config.clone() },
            runtime: runtime.clone(),
            credentials: Some(credentials),
            endpoint: endpoint.clone(),
            user: Some(Cache::new(Arc::new(UserFact { resolver: users }), runtime)),
            credential_cache: Mutex::new(None),
            addresses: Arc::clone(addresses),
            raise_reported: AtomicBool::new(false),
        })))
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &ConnectorConfig {
        &self.0.config
    }

    /// How a login to `host` verifies the server.
    ///
    /// With a credential a weaker [`Tls::mode`](crate::Tls::mode) is raised to `verify-full`, unless it is `disable` or
    /// `host` is this machine.
    #[must_use]
    pub fn ssl_mode_to(&self, host: &str) -> SslMode {
        let config = &self.0.config;
        let by_socket = config.socket_directory.is_some();
        let is_local = is_this_machine(host, &config.addresses, by_socket);
        let with_token = matches!(config.auth, Auth::Credential { .. });
        match config.tls.mode {
            SslMode::Disable => SslMode::Disable,
            mode if is_local || !with_token => mode,
            _ => SslMode::VerifyFull,
        }
    }

    /// The effects it uses.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// The endpoint of logins; `None` if no workspace is configured.
    ///
    /// # Errors
    ///
    /// Those of the [`EndpointResolver`](crate::EndpointResolver).
    pub async fn endpoint(&self) -> Result<Option<Endpoint>> {
        match &self.0.endpoint {
            None => Ok(None),
            Some(cache) => Ok(Some(cache.get().await?.0.clone())),
        }
    }

    /// The Postgres role of logins.
    ///
    /// # Errors
    ///
    /// Those of the [`UserResolver`].
    pub async fn user(&self) -> Result<Arc<str>> {
        match (&self.0.config.user, &self.0.user) {
            (Some(user), _) => Ok(Arc::clone(user)),
            (None, Some(cache)) => Ok(Arc::clone(&cache.get().await?.0)),
            (None, None) => Err(Error::new(ErrorKind::Config, "no user is configured")),
        }
    }

    /// The cache of database credentials; `None` with native passwords.
    ///
    /// # Errors
    ///
    /// Those of the [`EndpointResolver`](crate::EndpointResolver), unless the target is a named endpoint.
    pub async fn credentials(&self) -> Result<Option<CredentialCache>> {
        let (Auth::Credential { ttl, claims }, Some(source)) =
            (&self.0.config.auth, &self.0.credentials)
        else {
            return Ok(None);
        };
        let name = match &self.0.config.target {
            Some(Target::Endpoint(name)) => ComputeName::Endpoint(name.clone()),
            _ => match self.endpoint().await? {
                Some(endpoint) => endpoint.name,
                None => return Ok(None),
            },
        };
        let mut slot = lock(&self.0.credential_cache);
        if let Some((held, cache)) = &*slot
            && *held == name
        {
            return Ok(Some(cache.clone()));
        }
        let (compute, ttl, claims) = (name.clone(), *ttl, claims.clone());
        let request = CredentialRequest { compute, ttl, claims, force: false };
        let cache = CredentialCache::new(Arc::clone(source), request, &self.0.runtime);
        *slot = Some((name, cache.clone()));
        Ok(Some(cache))
    }

    /// The state of the credential, for readiness probes. Asks no service. `None` with native passwords.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        if !matches!(self.0.config.auth, Auth::Credential { .. }) {
            return None;
        }
        let slot = lock(&self.0.credential_cache);
        Some(slot.as_ref().map_or(Status::Empty, |(_, cache)| cache.status()))
    }

    /// Drops the credential of `login`, which the server refused, unless a newer one is cached.
    pub(super) fn invalidate_credential(&self, login: &Login) {
        let slot = lock(&self.0.credential_cache).clone();
        if let (Some((_, cache)), Some(used)) = (slot, login.credential) {
            cache.invalidate(used.generation);
        }
    }
}

/// How long finding an endpoint may take. A search in a large workspace takes many requests, and may use most of the
/// default budget of a login.
fn endpoint_policy(target: &Target) -> Result<Policy> {
    const SEARCH: Duration = Duration::from_secs(50);
    match target {
        Target::Host(_) => Policy::default().limits(SEARCH, SEARCH),
        Target::Branch(_) | Target::Endpoint(_) => Ok(Policy::default()),
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("config", &self.0.config).finish_non_exhaustive()
    }
}
