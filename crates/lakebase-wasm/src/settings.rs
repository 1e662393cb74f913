//! The settings of a caller, checked once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::{
    Access, BoxFuture, BranchName, Claim, CredentialRequest, EndpointName, Error, ErrorKind,
    MaybeSend, MaybeSync, Result, Secret, Target,
};

use crate::Host;

/// A function that returns a workspace token, or an id token to exchange for one.
pub trait TokenProvider: fmt::Debug + MaybeSend + MaybeSync {
    /// A token with at least a minute of life. Errors must not quote it.
    fn token(&self) -> BoxFuture<'_, Result<Secret>>;
}

/// The identity towards the workspace.
#[derive(Clone)]
pub enum Identity {
    /// A service principal with an OAuth secret.
    ServicePrincipal {
        /// The application id, which is also the Postgres role.
        client_id: Arc<str>,
        /// Its OAuth secret.
        client_secret: Secret,
    },
    /// A workspace token that the application keeps fresh.
    Token(Secret),
    /// Called for a workspace token at each mint. It may cache.
    Provider(Arc<dyn TokenProvider>),
    /// Id tokens of another issuer, exchanged for workspace tokens (RFC 8693): workload identity federation.
    Federated {
        /// The service principal whose federation policy applies, and the Postgres role. Without it, the account's
        /// policy applies.
        client_id: Option<Arc<str>>,
        /// Called for an id token at each exchange.
        id_tokens: Arc<dyn TokenProvider>,
    },
}

impl Identity {
    /// The id of the service principal, if it is one.
    pub(crate) fn client_id(&self) -> Option<&Arc<str>> {
        match self {
            Self::ServicePrincipal { client_id, .. } => Some(client_id),
            Self::Federated { client_id, .. } => client_id.as_ref(),
            Self::Token(_) | Self::Provider(_) => None,
        }
    }

    /// The client secret, else nothing.
    pub(crate) fn client_secret(&self) -> &str {
        match self {
            Self::ServicePrincipal { client_secret, .. } => client_secret.expose(),
            _ => "",
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServicePrincipal { client_id, .. } => {
                f.debug_tuple("ServicePrincipal").field(client_id).finish()
            }
            Self::Token(_) => f.write_str("Token"),
            Self::Provider(provider) => f.debug_tuple("Provider").field(provider).finish(),
            Self::Federated { client_id, .. } => {
                f.debug_tuple("Federated").field(client_id).finish()
            }
        }
    }
}

/// One workspace, one identity and one endpoint or branch.
///
/// The fields are public so that a struct update changes any of them; [`Settings::new`] fills in the defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The workspace.
    pub host: Host,
    /// The header `X-Databricks-Workspace-Id`, if set.
    pub workspace_id: Option<Arc<str>>,
    /// The identity.
    pub identity: Identity,
    /// The endpoint, or the branch whose endpoint is looked up.
    pub target: Target,
    /// The type of the branch's endpoint, and of the endpoint's host. Default: read-write.
    pub access: Access,
    /// Requested life of credentials: 300 s to 3600 s. Default: the service's, one hour.
    pub ttl: Option<Duration>,
    /// Narrows credentials to tables.
    pub claims: Vec<Claim>,
    /// The Postgres role. Default: the client id, else the workspace is asked.
    pub user: Option<Arc<str>>,
    /// The Postgres host. Default: the workspace is asked.
    pub pg_host: Option<Arc<str>>,
    /// The database. Default: `databricks_postgres`.
    pub database: Arc<str>,
    /// Time limit of one attempt at a credential: 100 ms to 60 s. Default: 5 s. A flight has two attempts. A flight
    /// that reports nothing for a second longer is taken over by a waiter.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults for this workspace, identity and target.
    #[must_use]
    pub fn new(host: Host, identity: Identity, target: Target) -> Self {
        Self {
            host,
            workspace_id: None,
            identity,
            target,
            access: Access::default(),
            ttl: None,
            claims: Vec::new(),
            user: None,
            pg_host: None,
            database: "databricks_postgres".into(),
            timeout: Duration::from_secs(5),
        }
    }

    /// Checks the values that the types do not restrict.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], naming the setting and what is accepted, never a secret.
    pub fn check(&self) -> Result<()> {
        let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
        if self.ttl.is_some_and(|ttl| !seconds(300, 3600).contains(&ttl)) {
            return Err(wrong("ttl", "accepted: 300 to 3600 seconds"));
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&self.timeout) {
            return Err(wrong("timeout", "accepted: 100 to 60000 milliseconds"));
        }
        let empty = |text: &Option<Arc<str>>| text.as_ref().is_some_and(|text| text.is_empty());
        if empty(&self.user) {
            return Err(wrong("user", "accepted: the name of a Postgres role"));
        }
        let host = |host: &Arc<str>| {
            host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        };
        if empty(&self.pg_host) || !self.pg_host.as_ref().is_none_or(host) {
            return Err(wrong("pgHost", "accepted: a host name without scheme and port"));
        }
        if self.database.is_empty() {
            return Err(wrong("database", "accepted: the name of a database"));
        }
        let id = |id: &Arc<str>| {
            !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !self.workspace_id.as_ref().is_none_or(id) {
            return Err(wrong("workspaceId", "accepted: letters, digits and `-`"));
        }
        match &self.identity {
            Identity::ServicePrincipal { client_id, client_secret } => {
                if client_id.is_empty() {
                    return Err(wrong(
                        "clientId",
                        "accepted: a service principal's application id",
                    ));
                }
                if client_secret.expose().is_empty() {
                    return Err(wrong(
                        "clientSecret",
                        "accepted: the service principal's OAuth secret",
                    ));
                }
            }
            Identity::Token(token) => {
                let sendable = |byte: u8| byte.is_ascii_graphic();
                if token.expose().is_empty() || !token.expose().bytes().all(sendable) {
                    return Err(wrong(
                        "token",
                        "accepted: a workspace token, printable ASCII without spaces",
                    ));
                }
            }
            Identity::Provider(_) | Identity::Federated { .. } => {}
        }
        Ok(())
    }

    /// The request for a credential.
    #[must_use]
    pub fn request(&self, endpoint: EndpointName) -> CredentialRequest {
        CredentialRequest {
            ttl: self.ttl,
            claims: self.claims.clone(),
            ..CredentialRequest::new(endpoint)
        }
    }

    /// Time limit of one flight: two attempts and the pause between them.
    pub(crate) fn flight_limit(&self) -> Duration {
        self.timeout * 2 + Duration::from_millis(250)
    }

    /// Time from its start after which a flight without a report is taken over.
    pub(crate) fn mint_limit(&self) -> Duration {
        self.flight_limit() + Duration::from_secs(1)
    }
}

/// Reads the target from the options `endpoint`, `project` and `branch`.
///
/// # Errors
///
/// [`ErrorKind::Config`] if neither an endpoint nor a project is named, both are, or a name is malformed.
pub fn target(
    endpoint: Option<&str>,
    project: Option<&str>,
    branch: Option<&str>,
) -> Result<Target> {
    match (endpoint, project, branch) {
        (Some(endpoint), None, None) => endpoint
            .parse()
            .map(Target::Endpoint)
            .map_err(|error: Error| below(&error, "option `endpoint`")),
        (None, Some(project), branch) => {
            let project = project.strip_prefix("projects/").unwrap_or(project);
            let branch = branch.unwrap_or("production");
            let branch = branch.rsplit('/').next().unwrap_or(branch);
            BranchName::new(project, branch)
                .map(Target::Branch)
                .map_err(|error| below(&error, "option `project` or `branch`"))
        }
        (Some(_), ..) => {
            Err(wrong("endpoint", "accepted: either `endpoint`, or `project` and `branch`"))
        }
        (None, None, _) => Err(wrong(
            "endpoint",
            "accepted: projects/…/branches/…/endpoints/…, or `project` and perhaps `branch` instead",
        )),
    }
}

#[inline(never)]
pub(crate) fn wrong(setting: &str, accepted: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("option `{setting}` is missing or not usable; {accepted}"),
    )
}

/// Adds the action that failed to `error`.
///
/// One level instead of a chain of causes: the machinery of `dyn Error` alone is several kilobytes.
#[inline(never)]
pub(crate) fn below(error: &Error, what: &str) -> Error {
    let mut line = String::from(what);
    line.push_str(": ");
    line.push_str(&error.to_string());
    let mut outer = Error::new(error.kind(), line);
    if let Some(status) = error.status() {
        outer = outer.with_status(status);
    }
    match error.retry_after() {
        Some(delay) => outer.with_retry_after(delay),
        None => outer,
    }
}

/// Whole milliseconds, without 128-bit arithmetic.
pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}
