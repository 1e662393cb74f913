//! Endpoints: the computes of a branch, and the choice among them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{ComputeName, Error, ErrorKind, MaybeSend, MaybeSync, Result, Target};

/// The type of an endpoint, which says whether it can write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointType {
    /// Reads and writes; a branch has at most one.
    ReadWrite,
    /// Reads only.
    ReadOnly,
    /// A value that this version does not know. [`choose_endpoint`] never selects it.
    Unknown(Arc<str>),
}

/// The state of an endpoint's compute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointState {
    /// Being created; a login waits for it.
    Init,
    /// Running.
    Active,
    /// Scaled to zero; the next login wakes it.
    Idle,
    /// Running with problems. Logins are tried.
    Degraded,
    /// Absent, or a value that this version does not know. Logins are tried.
    Unknown(Arc<str>),
}

/// The host names of an endpoint, as the service reports them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EndpointHosts {
    /// The endpoint itself.
    pub host: Option<Arc<str>>,
    /// Its readable secondaries.
    pub read_only_host: Option<Arc<str>>,
    /// The pooler in front of it, which takes native passwords only.
    pub read_write_pooled_host: Option<Arc<str>>,
    /// The pooler in front of its secondaries, which takes native passwords only.
    pub read_only_pooled_host: Option<Arc<str>>,
}

/// A compute: an endpoint of a branch, or a database instance of Lakebase Provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name: for an endpoint the full resource name.
    pub name: ComputeName,
    /// Its type, which says whether it can write.
    pub endpoint_type: EndpointType,
    /// Its state when the service answered.
    pub state: EndpointState,
    /// Whether it is disabled: a login does not wake it.
    pub disabled: bool,
    /// Its host names.
    pub hosts: EndpointHosts,
    /// The idle time after which it scales to zero; `None` if the service does not report it.
    pub suspend_timeout: Option<Duration>,
}

impl EndpointHosts {
    /// Whether `host` is one of these. Letter case and a final dot do not matter.
    #[must_use]
    pub fn contains(&self, host: &str) -> bool {
        let plain = |host: &str| host.trim_end_matches('.').to_ascii_lowercase();
        self.iter().any(|known| plain(known) == plain(host))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        let Self { host, read_only_host, read_write_pooled_host, read_only_pooled_host } = self;
        [host, read_only_host, read_write_pooled_host, read_only_pooled_host].into_iter().flatten()
    }
}

impl Endpoint {
    /// The host to log in to for `access`: for reads that of the readable secondaries, if any.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Disabled`] for a disabled endpoint; [`ErrorKind::Unavailable`] if the service reports no host, or none
    /// yet.
    pub fn host(&self, access: Access) -> Result<Arc<str>> {
        let EndpointHosts { host, read_only_host, .. } = &self.hosts;
        if self.disabled {
            return Err(Error::new(
                ErrorKind::Disabled,
                format!("{} is disabled; enable it in the workspace", self.name),
            ));
        }
        let host = match access {
            Access::ReadWrite => host,
            Access::ReadOnly | Access::PreferReadOnly => {
                read_only_host.as_ref().map_or(host, |_| read_only_host)
            }
        };
        host.clone().ok_or_else(|| self.lacks("host"))
    }

    /// The pooler's host for `access`.
    ///
    /// # Errors
    ///
    /// As [`host`](Self::host).
    pub fn pooled_host(&self, access: Access) -> Result<Arc<str>> {
        let EndpointHosts { read_write_pooled_host, read_only_pooled_host, .. } = &self.hosts;
        let host = match (access, &self.endpoint_type) {
            (Access::ReadWrite, EndpointType::ReadWrite | EndpointType::Unknown(_)) => {
                read_write_pooled_host
            }
            _ => read_only_pooled_host,
        };
        self.host(access)?;
        host.clone().ok_or_else(|| self.lacks("pooled host"))
    }

    fn lacks(&self, what: &str) -> Error {
        let Self { name, state, .. } = self;
        Error::new(
            ErrorKind::Unavailable,
            format!("the workspace reports no {what} for {name} (state {state})"),
        )
    }
}

/// The wanted kind of endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// The branch's read-write endpoint.
    #[default]
    ReadWrite,
    /// A read-only endpoint; an error if there is none.
    ReadOnly,
    /// A read-only endpoint, or the read-write one if there is none.
    PreferReadOnly,
}

/// Chooses the endpoint for `access` by its type, and never by its position.
///
/// Among several, an active one comes first; then the names decide.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] if no endpoint has the wanted type; [`ErrorKind::Disabled`] if all with that type are disabled.
/// The message lists the endpoints.
pub fn choose_endpoint(
    target: &Target,
    access: Access,
    endpoints: &[Endpoint],
) -> Result<Endpoint> {
    let best = |wanted: &EndpointType| {
        endpoints
            .iter()
            .filter(|endpoint| endpoint.endpoint_type == *wanted && !endpoint.disabled)
            .min_by_key(|endpoint| (endpoint.state != EndpointState::Active, endpoint.name.clone()))
    };
    let found = match access {
        Access::ReadWrite => best(&EndpointType::ReadWrite),
        Access::ReadOnly => best(&EndpointType::ReadOnly),
        Access::PreferReadOnly => {
            best(&EndpointType::ReadOnly).or_else(|| best(&EndpointType::ReadWrite))
        }
    };
    found.cloned().ok_or_else(|| none_fits(target, access, endpoints))
}

fn none_fits(target: &Target, access: Access, endpoints: &[Endpoint]) -> Error {
    let wanted = match access {
        Access::ReadWrite => EndpointType::ReadWrite,
        Access::ReadOnly | Access::PreferReadOnly => EndpointType::ReadOnly,
    };
    let there: Vec<String> = endpoints
        .iter()
        .map(|endpoint| {
            let disabled = if endpoint.disabled { ", disabled" } else { "" };
            format!("{} ({}{disabled})", endpoint.name.id(), endpoint.endpoint_type)
        })
        .collect();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    if endpoints.iter().any(|endpoint| endpoint.endpoint_type == wanted) {
        return Error::new(
            ErrorKind::Disabled,
            format!("every {wanted} endpoint of {target} is disabled; there: {there}"),
        );
    }
    Error::new(ErrorKind::NotFound, format!("{target} has no {wanted} endpoint; there: {there}"))
}

impl fmt::Display for EndpointType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Unknown(text) => text,
        })
    }
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "init",
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Degraded => "degraded",
            Self::Unknown(text) => text,
        })
    }
}

/// Finds the endpoint for a target.
///
/// # Contract
///
/// - **Freshness:** every call asks the service; implementations do not cache.
/// - **Choice:** a branch's endpoint is chosen with [`choose_endpoint`] over *all* pages of the list.
/// - **Named endpoints** are returned with every type, also if they are disabled.
/// - **Hosts:** for [`Target::Host`] only a compute that the service reports with this host is returned
///   ([`EndpointHosts::contains`]). If that compute serves no reads and `access` is not read-write, the one that [`choose_endpoint`]
///   selects on its branch is returned.
/// - **Cancellation:** dropping the future abandons the request and leaves `self` usable.
/// - **Secrecy:** neither `Debug` output nor an error contains a secret.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait EndpointResolver: fmt::Debug + MaybeSend + MaybeSync {
    /// Finds the endpoint of `target` for `access`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], [`ErrorKind::Disabled`], [`ErrorKind::Unauthenticated`],
    /// [`ErrorKind::PermissionDenied`], or a transient kind.
    async fn resolve(&self, target: &Target, access: Access) -> Result<Endpoint>;
}

/// Finds the Postgres user name of the credentials' identity.
///
/// The contract is that of [`EndpointResolver`]: every call asks the service.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait UserResolver: fmt::Debug + MaybeSend + MaybeSync {
    /// The user name: an e-mail address, or a service principal's application id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthenticated`], [`ErrorKind::PermissionDenied`], or a transient kind.
    async fn resolve(&self) -> Result<Arc<str>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EndpointName;

    fn endpoint(
        id: &str,
        endpoint_type: EndpointType,
        state: EndpointState,
        disabled: bool,
    ) -> Endpoint {
        Endpoint {
            name: format!("projects/p/branches/b/endpoints/{id}")
                .parse::<EndpointName>()
                .unwrap()
                .into(),
            endpoint_type,
            state,
            disabled,
            hosts: EndpointHosts { host: Some(id.into()), ..EndpointHosts::default() },
            suspend_timeout: None,
        }
    }

    fn check(access: Access, endpoints: &[Endpoint], expected: &str) {
        let target = "projects/p/branches/b".parse().unwrap();
        let found = match choose_endpoint(&target, access, endpoints) {
            Ok(endpoint) => endpoint.name.id().to_owned(),
            Err(error) => format!("{}: {error}", error.kind().as_str()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn chooses_by_type_not_by_position() {
        let all = [
            endpoint("replica", EndpointType::ReadOnly, EndpointState::Active, false),
            endpoint("odd", EndpointType::Unknown("NEW".into()), EndpointState::Active, false),
            endpoint("old", EndpointType::ReadWrite, EndpointState::Active, true),
            endpoint("primary", EndpointType::ReadWrite, EndpointState::Idle, false),
        ];
        check(Access::ReadWrite, &all, "primary");
        check(Access::ReadOnly, &all, "replica");
        check(Access::PreferReadOnly, &all, "replica");
        check(Access::PreferReadOnly, &all[2..], "primary");
        check(
            Access::ReadWrite,
            &all[..3],
            "disabled: every read-write endpoint of projects/p/branches/b is disabled; there: replica (read-only), odd (NEW), old (read-write, disabled)",
        );
        check(
            Access::ReadOnly,
            &all[1..],
            "not_found: projects/p/branches/b has no read-only endpoint; there: odd (NEW), old (read-write, disabled), primary (read-write)",
        );
        check(
            Access::ReadWrite,
            &[],
            "not_found: projects/p/branches/b has no read-write endpoint; there: none",
        );
    }

    #[test]
    fn reads_go_to_secondaries_if_there_are_any() {
        let mut one = endpoint("e", EndpointType::ReadWrite, EndpointState::Active, false);
        assert_eq!(&*one.host(Access::ReadOnly).unwrap(), "e");
        one.hosts.read_only_host = Some("e-ro".into());
        assert_eq!(&*one.host(Access::ReadOnly).unwrap(), "e-ro");
        assert_eq!(&*one.host(Access::ReadWrite).unwrap(), "e");
        one.disabled = true;
        assert_eq!(one.host(Access::ReadWrite).unwrap_err().kind(), ErrorKind::Disabled);
        one.disabled = false;
        one.hosts = EndpointHosts::default();
        assert!(one.host(Access::ReadWrite).unwrap_err().is_transient());
    }
}
