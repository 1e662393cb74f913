//! Requests and replies as events of level debug. The functions are empty without the feature `tracing`.
//!
//! An event has the method, the path, and the status or the error's kind. For another token service than the workspace it
//! has the service's name instead of the path. It has no header, query or body.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use lakebase_core::{Clock, Result};

/// A request that was sent.
pub(crate) struct Asked {
    #[cfg(feature = "tracing")]
    line: String,
    at: Duration,
}

impl Asked {
    pub(crate) fn new(request: &Request<Bytes>, clock: &dyn Clock) -> Self {
        Self::named(request, request.uri().path(), clock)
    }

    /// A request that is shown with `name` instead of its path.
    pub(crate) fn named(request: &Request<Bytes>, name: &str, clock: &dyn Clock) -> Self {
        let _ = (request, name);
        Self {
            #[cfg(feature = "tracing")]
            line: format!("{} {name}", request.method()),
            at: clock.monotonic(),
        }
    }

    pub(crate) fn answered(self, result: &Result<Response<Bytes>>, clock: &dyn Clock) {
        let took = clock.monotonic().saturating_sub(self.at);
        let _ = (result, took);
        #[cfg(feature = "tracing")]
        {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            match result {
                Ok(reply) => {
                    let status = reply.status().as_u16();
                    tracing::debug!(request = self.line, status, took_ms, "answered");
                }
                Err(error) => {
                    let kind = error.kind().as_str();
                    tracing::debug!(request = self.line, kind, took_ms, "not answered");
                }
            }
        }
    }
}
