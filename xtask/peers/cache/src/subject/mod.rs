//! What is measured: a cache over the [`Service`], through the interface that its users have.

mod floor;
mod ours;

#[cfg(feature = "peers")]
mod aws;
#[cfg(feature = "peers")]
mod azure;
#[cfg(feature = "peers")]
mod google;
#[cfg(feature = "peers")]
mod huskarl;
#[cfg(feature = "peers")]
mod object_store;
#[cfg(feature = "peers")]
mod reqsign;

use std::future::Future;
use std::hint::black_box;

use crate::service::Service;

/// A cache. Clones share it.
pub(crate) trait Subject: Clone + Send + Sync + 'static {
    /// Whether tokio's paused time governs it; otherwise it needs real time, because a socket takes part.
    const VIRTUAL: bool = true;

    /// An empty one; called inside a tokio runtime.
    fn new(service: &Service) -> impl Future<Output = Self> + Send;

    /// A call as users make it. Whether there was a token, after it was looked at.
    fn token(&self) -> impl Future<Output = bool> + Send;
}

/// Looks at a token, so that the call which gave it is not optimized away.
fn look<T>(token: &T) {
    black_box(token);
}

/// Something that is done with every subject in turn.
pub(crate) trait Visitor {
    fn visit<S: Subject>(&mut self, name: &'static str);
}

/// The floor, ours, then the peers that are built in, by [`PEERS`](crate::PEERS)' names.
pub(crate) fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<floor::Floor>("floor");
    visitor.visit::<ours::Ours>("ours");
    #[cfg(feature = "peers")]
    {
        let [object_store, google, huskarl, azure, aws, reqsign] = crate::PEERS else {
            unreachable!("six peers")
        };
        visitor.visit::<object_store::ObjectStore>(object_store);
        visitor.visit::<google::Google>(google);
        visitor.visit::<huskarl::Huskarl>(huskarl);
        visitor.visit::<azure::Azure>(azure);
        visitor.visit::<aws::Aws>(aws);
        visitor.visit::<reqsign::Reqsign>(reqsign);
    }
}
