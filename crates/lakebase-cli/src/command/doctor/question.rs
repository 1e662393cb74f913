//! A question to the workspace: how long it is waited for, and what its failure means.

use std::time::Duration;

use lakebase::core::connect::Connector;
use lakebase::{Error, ErrorKind};

use super::fault::Fault;
use super::report::Finding;

/// The longest that one question is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// The fault is a proxy's if the error comes from one.
pub(super) fn finding(error: &Error, otherwise: impl FnOnce() -> Fault) -> Finding {
    Finding::new(Fault::at_proxy(error).unwrap_or_else(otherwise), error.report())
}

/// The answer, or an error of kind `TimedOut`.
pub(super) async fn within<T>(
    connector: &Connector,
    work: impl Future<Output = lakebase::Result<T>>,
) -> lakebase::Result<T> {
    connector.within(LIMIT, work).await.unwrap_or_else(|| {
        let message = format!("no answer within {} s", LIMIT.as_secs());
        Err(Error::new(ErrorKind::TimedOut, message))
    })
}
