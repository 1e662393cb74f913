//! Gathers the parameters of a login: host, addresses, user and credential.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future;

use super::config::UsedCredential;
use super::params::is_loopback_name;
use super::token::{check_host_is_direct, check_host_is_reported, raise_verification};
use super::{Auth, Connector, Login, LoginProgress};
use crate::effect::Route;
use crate::{Access, ConnectParams, Endpoint, Result, Target, observe};

impl Connector {
    /// Gathers the parameters for one login: from the caches where they are fresh, otherwise from the sources, all at the
    /// same time.
    ///
    /// Without cached values it takes the workspace's token and then one round of requests for a named endpoint, two for
    /// a branch, and as many as the search takes for a host. The host is looked up at the same time.
    ///
    /// **Cancellation:** dropping the future leaves requests running, for later callers.
    ///
    /// # Errors
    ///
    /// Those of the sources; [`Config`](crate::ErrorKind::Config) if a token would go over a connection without TLS, to a host
    /// that the service does not report, or to a pooled host; [`NotFound`](crate::ErrorKind::NotFound) if no resolver knows the
    /// host.
    pub async fn login(&self) -> Result<Login> {
        let config = &self.0.config;
        let host = async {
            let host = self.host().await?;
            match self.addresses(&host).await {
                Ok(addresses) => Ok((host, addresses)),
                Err(error) => {
                    // If the workspace does not know the host, that error says more.
                    self.check_host().await?;
                    Err(error)
                }
            }
        };
        let password = async {
            match self.credentials().await? {
                Some(cache) => {
                    let held = cache.get().await?;
                    let (generation, requested_at) = (held.generation(), held.requested_at());
                    let used = UsedCredential { generation, requested_at };
                    Ok((Some(held.token.clone()), Some(used)))
                }
                None => match &config.auth {
                    Auth::Password(password) => Ok((Some(password.clone()), None)),
                    _ => Ok((None, None)),
                },
            }
        };
        let ((host, addresses), (password, credential), user, ()) =
            future::try_join4(host, password, self.user(), self.check_host()).await?;
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
            progress: LoginProgress::default(),
            tcp: config.tcp,
            load_balance_hosts: config.load_balance_hosts,
            require_auth: config.require_auth,
            application_name: config.application_name.clone(),
            options: config.options.clone(),
        };
        if credential.is_some() {
            check_host_is_direct(&params.host)?;
            let (mode, origin) = (config.tls.mode, config.ssl_mode_origin.as_ref());
            let raised = raise_verification(&mut params, origin)?;
            if raised && !self.0.raise_reported.swap(true, Ordering::Relaxed) {
                observe::ssl_mode_raised(mode, origin);
            }
        }
        Ok(Login { params: Arc::new(params), credential })
    }

    /// The host of logins: the configured one, otherwise the endpoint's.
    ///
    /// # Errors
    ///
    /// Those of the [`EndpointResolver`](crate::EndpointResolver); [`Disabled`](crate::ErrorKind::Disabled); [`Unavailable`](crate::ErrorKind::Unavailable) if
    /// the service reports no host, or none yet.
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
        // A disabled endpoint, or a missing host, may change: the next login asks again.
        self.host_of(&endpoint.0).inspect_err(|_| cache.revalidate(endpoint.generation()))
    }

    /// Refuses a host that the service does not report for the target, if logins send a token.
    async fn check_host(&self) -> Result<()> {
        let config = &self.0.config;
        let (Some(cache), Auth::Credential { .. }) = (&self.0.endpoint, &config.auth) else {
            return Ok(());
        };
        let host = match (&config.host, &config.target) {
            (Some(host), _) if !is_loopback_name(host) => host,
            // The search compares the host.
            (None, Some(Target::Host(_))) => return cache.get().await.map(drop),
            _ => return Ok(()),
        };
        let endpoint = cache.get().await?;
        // The endpoint may have been created again with other hosts: the next login asks again.
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

    /// Makes the next login ask for the endpoint and its addresses again. It uses the known ones if that fails.
    pub(super) fn revalidate_host(&self, login: Option<&Login>) {
        self.0.addresses.mark_stale();
        let Some(cache) = &self.0.endpoint else { return };
        let Some(held) = cache.peek() else { return };
        let host = self.host_of(&held.0).ok();
        // A slow login may have used a host that has been replaced since.
        if login.is_none_or(|login| Some(&login.params.host) == host.as_ref()) {
            cache.revalidate(held.generation());
        }
    }

    async fn addresses(&self, host: &Arc<str>) -> Result<Vec<IpAddr>> {
        let config = &self.0.config;
        if !config.addresses.is_empty() || config.socket_directory.is_some() {
            return Ok(config.addresses.clone());
        }
        if let Route::Proxy { looks_up: true, .. } = self.0.runtime.dial.route(host, config.port)? {
            return Ok(Vec::new());
        }
        self.0.addresses.get(&self.0.runtime, host).await
    }
}
