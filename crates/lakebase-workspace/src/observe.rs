//! What is asked of a workspace and how it answers, as events of level debug. Nothing without the feature `tracing`.
//!
//! An event holds the method, the path and the status, or the error's kind; for a token service other than the workspace its name instead of the path. No header, no query and no body is in it.

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

    /// A request of which `name` is shown instead of the path.
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
