//! What a proxy serves.

use serde::Serialize;

/// One server, as one listener or one of its routes leads to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Served {
    pub(super) listener: String,
    pub(super) target: String,
    pub(super) read_only: bool,
}

impl Served {
    pub(super) fn access(&self) -> &'static str {
        if self.read_only { "read_only" } else { "read_write" }
    }
}
