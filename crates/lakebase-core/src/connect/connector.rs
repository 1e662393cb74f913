//! Joins endpoint, user, credential and addresses to a login.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future;

use super::hosts::Hosts;
use super::params::{is_loopback_name, is_this_machine};
use super::token::{check_host_is_direct, check_host_is_reported, raise_verification};
use super::{Auth, ConnectParams, ConnectorConfig, Login, Sources};
use crate::observe;
use crate::origins::{EndpointFact, Fact, UserFact};
use crate::refresh::{Cache, CredentialCache, Policy, Status};
use crate::{
    Access, ComputeName, CredentialRequest, CredentialSource, Endpoint, Error, ErrorKind, Result,
    Runtime, SslMode, Target, UserResolver,
};

/// Logs in: the one code path for connections, pools and proxies.
///
/// Cheap to clone; clones share the cached endpoint, user and credential.
#[derive(Clone)]
pub struct Connector(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: ConnectorConfig,
    pub(super) runtime: Runtime,
    credentials: Option<Arc<dyn CredentialSource>>,
    endpoint: Option<Cache<Fact<Endpoint>>>,
    user: Option<Cache<Fact<Arc<str>>>>,
    /// The cache for the endpoint that was found last.
    cache: Mutex<Option<(ComputeName, CredentialCache)>>,
    pub(super) hosts: Arc<Hosts>,
    /// Whether it was said that the verification is raised.
    told_raised: AtomicBool,
}

impl Connector {
    /// A connector for `config`; nothing is asked before the first login.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if parts are missing or contradict each other.
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
            cache: Mutex::new(None),
            hosts: Arc::default(),
            told_raised: AtomicBool::new(false),
        })))
    }

    /// A connector to the same place for another identity, whose credentials and name these sources bring.
    ///
    /// It shares the cached endpoint, the addresses and the effects, and nothing secret. The user is the identity's
    /// own name, whatever the configuration says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] unless logins are made [with credentials](Auth::Credential).
    pub fn on_behalf_of(
        &self,
        credentials: Arc<dyn CredentialSource>,
        users: Arc<dyn UserResolver>,
    ) -> Result<Self> {
        let Inner { config, runtime, endpoint, hosts, .. } = &*self.0;
        if !matches!(config.auth, Auth::Credential { .. }) {
            let problem = "logins are not made with tokens here, so nobody can be logged in by a token of theirs";
            return Err(Error::new(ErrorKind::Unsupported, problem));
        }
        Ok(Self(Arc::new(Inner {
            config: ConnectorConfig { user: None, ..config.clone() },
            runtime: runtime.clone(),
            credentials: Some(credentials),
            endpoint: endpoint.clone(),
            user: Some(Cache::new(Arc::new(UserFact { resolver: users }), runtime)),
            cache: Mutex::new(None),
            hosts: Arc::clone(hosts),
            told_raised: AtomicBool::new(false),
        })))
    }

    /// What this connector was made from.
    #[must_use]
    pub fn config(&self) -> &ConnectorConfig {
        &self.0.config
    }

    /// How far a login to `host` verifies the server: with a credential `verify-full` where [`Tls::mode`](super::Tls::mode) is weaker,
    /// unless that is `disable` or `host` is this machine.
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

    /// The endpoint that logins go to; `None` if there is nothing to ask a workspace for.
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

    /// The user that logs in.
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
    /// Those of the [`EndpointResolver`](crate::EndpointResolver), which a branch needs first.
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
        let mut slot = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((held, cache)) = &*slot
            && *held == name
        {
            return Ok(Some(cache.clone()));
        }
        let request = CredentialRequest {
            ttl: *ttl,
            claims: claims.clone(),
            ..CredentialRequest::for_compute(name.clone())
        };
        let cache = CredentialCache::new(Arc::clone(source), request, &self.0.runtime);
        *slot = Some((name, cache.clone()));
        Ok(Some(cache))
    }

    /// How the credential is doing, without asking anybody: for readiness probes. `None` with native passwords.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        if !matches!(self.0.config.auth, Auth::Credential { .. }) {
            return None;
        }
        let slot = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        Some(slot.as_ref().map_or(Status::Empty, |(_, cache)| cache.status()))
    }

    /// Everything for one login: from the caches where they are fresh, else asked for, all at the same time.
    ///
    /// Cold, with a named endpoint, that is one round of requests after the workspace's own token; with a
    /// branch two, with a host as many as it takes to find it. The host is looked up meanwhile. Dropping the
    /// future loses nothing that was under way.
    ///
    /// # Errors
    ///
    /// Those of the sources; [`ErrorKind::Config`] if a token would go over a connection without TLS, to a host
    /// that the service does not report, or to a pooled host; [`ErrorKind::NotFound`] if no resolver knows the
    /// host.
    pub async fn login(&self) -> Result<Login> {
        let config = &self.0.config;
        let place = async {
            let host = self.host().await?;
            match self.addresses(&host).await {
                Ok(addresses) => Ok((host, addresses)),
                Err(error) => {
                    // That the workspace does not know the host either tells more.
                    self.check_host().await?;
                    Err(error)
                }
            }
        };
        let password = async {
            match self.credentials().await? {
                Some(cache) => {
                    let held = cache.get().await?;
                    Ok((Some(held.token.clone()), Some(held.generation())))
                }
                None => match &config.auth {
                    Auth::Password(password) => Ok((Some(password.clone()), None)),
                    _ => Ok((None, None)),
                },
            }
        };
        let ((host, addresses), (password, generation), user, ()) =
            future::try_join4(place, password, self.user(), self.check_host()).await?;
        let mut params = ConnectParams {
            host,
            socket_directory: config.socket_directory.clone(),
            addresses,
            port: config.port,
            database: Arc::clone(&config.database),
            user,
            password,
            dial_timeout: config.policy.dial_timeout(),
            tls: config.tls.clone(),
            tcp: config.tcp,
            load_balance_hosts: config.load_balance_hosts,
            application_name: config.application_name.clone(),
            options: config.options.clone(),
        };
        if generation.is_some() {
            check_host_is_direct(&params.host)?;
            let (mode, origin) = (config.tls.mode, config.ssl_mode_origin.as_ref());
            let raised = raise_verification(&mut params, origin)?;
            if raised && !self.0.told_raised.swap(true, Ordering::Relaxed) {
                observe::ssl_mode_raised(mode, origin);
            }
        }
        Ok(Login { params: Arc::new(params), generation })
    }

    /// The host that logins go to: the configured one, else the endpoint's.
    ///
    /// # Errors
    ///
    /// Those of the [`EndpointResolver`](crate::EndpointResolver); [`ErrorKind::Disabled`], or [`ErrorKind::Unavailable`] if the service
    /// reports no host (yet).
    pub async fn host(&self) -> Result<Arc<str>> {
        let config = &self.0.config;
        if let Some(host) = &config.host {
            return Ok(Arc::clone(host));
        }
        if let (Some(Target::Host(host)), Access::ReadWrite) = (&config.target, config.access) {
            return Ok(Arc::clone(host));
        }
        let Some(cache) = &self.0.endpoint else {
            return Ok("localhost".into());
        };
        let endpoint = cache.get().await?;
        // Disabled, or not there yet: that may change, so it is asked for again next time.
        self.host_of(&endpoint.0).inspect_err(|_| cache.revalidate(endpoint.generation()))
    }

    /// Refuses a host that the service does not report for the target, if a token would go there.
    async fn check_host(&self) -> Result<()> {
        let config = &self.0.config;
        let (Some(cache), Auth::Credential { .. }) = (&self.0.endpoint, &config.auth) else {
            return Ok(());
        };
        let host = match (&config.host, &config.target) {
            (Some(host), _) if !is_loopback_name(host) => host,
            // The search compares it.
            (None, Some(Target::Host(_))) => return cache.get().await.map(drop),
            _ => return Ok(()),
        };
        let endpoint = cache.get().await?;
        // It may have been created anew, with other hosts: that is asked for again next time.
        check_host_is_reported(host, &endpoint.0)
            .inspect_err(|_| cache.revalidate(endpoint.generation()))
    }

    fn host_of(&self, endpoint: &Endpoint) -> Result<Arc<str>> {
        let config = &self.0.config;
        match config.pooled {
            true => endpoint.pooled_host(config.access),
            false => endpoint.host(config.access),
        }
    }

    /// Has the place of a failed login looked up again before the next one. What is known stays known for as
    /// long as nobody can be asked.
    pub(super) fn doubt_place(&self, login: Option<&Login>) {
        self.0.hosts.doubt();
        let Some(cache) = &self.0.endpoint else { return };
        let Some(held) = cache.peek() else { return };
        let host = self.host_of(&held.0).ok();
        // A login that took long may have gone to a place that is already replaced.
        if login.is_none_or(|login| Some(&login.params.host) == host.as_ref()) {
            cache.revalidate(held.generation());
        }
    }

    async fn addresses(&self, host: &Arc<str>) -> Result<Vec<IpAddr>> {
        let config = &self.0.config;
        if !config.addresses.is_empty() || config.socket_directory.is_some() {
            return Ok(config.addresses.clone());
        }
        self.0.hosts.addresses(&self.0.runtime, host).await
    }

    /// Takes note that the server refused `login`'s credential, so that the next one is fresh.
    ///
    /// Does nothing if a newer one is held already.
    pub fn refused(&self, login: &Login) {
        let slot = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some((_, cache)), Some(generation)) = (slot, login.generation) {
            cache.invalidate(generation);
        }
    }
}

/// How long an endpoint may be looked for: a search through a large workspace takes many requests, and has
/// nearly the whole default budget of a login.
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
