//! Reading a fresh credential from its cache.

use std::hint::black_box;
use std::sync::Arc;

use lakebase_core::{CredentialCache, CredentialRequest};

use crate::Fault;
use crate::source::Source;

/// Reads `times` times.
pub(crate) async fn ours(times: u32) -> Result<(), Fault> {
    let runtime = lakebase_runtime::tokio();
    let source = Arc::new(Source(Arc::clone(&runtime.clock)));
    let request = CredentialRequest::new("projects/p/branches/b/endpoints/e".parse()?);
    let cache = CredentialCache::new(source, request, &runtime);
    for _ in 0..times {
        black_box(&cache.get().await?.token);
    }
    Ok(())
}
