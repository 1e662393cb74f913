//! Facts that rarely change, kept in the same caches as tokens: the endpoint of a target, a user's name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::refresh::{Demand, Expires, Origin};
use crate::{Access, Endpoint, EndpointResolver, Result, Target, Timestamp, UserResolver};

/// How long a fact is used if the service cannot be asked again; it is asked again much earlier.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Something that does not expire by itself.
#[derive(Debug)]
pub(crate) struct Fact<T>(pub(crate) T);

impl<T: PartialEq + std::fmt::Debug + crate::MaybeSend + crate::MaybeSync + 'static> Expires
    for Fact<T>
{
    fn lifetime(&self, _wall: Timestamp) -> Duration {
        LIFETIME
    }

    /// The same fact again is good news, not a lack of progress.
    fn same_as(&self, _other: &Self) -> bool {
        false
    }
}

#[derive(Debug)]
pub(crate) struct EndpointFact {
    pub(crate) resolver: Arc<dyn EndpointResolver>,
    pub(crate) target: Target,
    pub(crate) access: Access,
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Origin<Fact<Endpoint>> for EndpointFact {
    fn kind(&self) -> &'static str {
        "endpoint"
    }

    async fn fetch(&self, _demand: Demand) -> Result<Fact<Endpoint>> {
        self.resolver.resolve(&self.target, self.access).await.map(Fact)
    }
}

#[derive(Debug)]
pub(crate) struct UserFact {
    pub(crate) resolver: Arc<dyn UserResolver>,
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Origin<Fact<Arc<str>>> for UserFact {
    fn kind(&self) -> &'static str {
        "user"
    }

    async fn fetch(&self, _demand: Demand) -> Result<Fact<Arc<str>>> {
        self.resolver.resolve().await.map(Fact)
    }
}
