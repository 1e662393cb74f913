//! The token of the workspace.

use std::time::Duration;

use lakebase_core::Secret;
use lakebase_core::refresh::Moment;

/// A workspace token, when it was asked for, and how long it lives from then.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) token: Secret,
    pub(crate) started: Moment,
    pub(crate) lifetime: Duration,
}

impl Bearer {
    /// The remaining life at `now`.
    pub(crate) fn left(&self, now: Moment) -> Duration {
        self.lifetime.saturating_sub(now.since(self.started))
    }

    /// Whether more than half of its life is left at `now`.
    pub(crate) fn is_young(&self, now: Moment) -> bool {
        self.left(now) * 2 > self.lifetime
    }
}
