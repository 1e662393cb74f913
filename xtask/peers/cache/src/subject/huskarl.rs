//! huskarl's in-memory cache over a source of tokens.

use std::sync::Arc;
use std::time::SystemTime;

use huskarl::cache::{InMemoryTokenCache, TokenError, TokenSource};
use huskarl::core::platform::MaybeSendBoxFuture;
use huskarl::core::{Error, RetryAdvice};
use huskarl::grant::core::{RawTokenResponse, TokenResponse};

use super::{Subject, look};
use crate::service::{LIFE, Service};

#[derive(Clone)]
pub(crate) struct Huskarl(Arc<InMemoryTokenCache<ServiceSource>>);

struct ServiceSource(Service);

impl TokenSource for ServiceSource {
    fn token(&self) -> MaybeSendBoxFuture<'_, Result<Arc<TokenResponse>, TokenError>> {
        Box::pin(async {
            let Some(token) = self.0.mint().await else {
                return Err(Error::new(RetryAdvice::RETRY, "HTTP 503").into());
            };
            let raw = RawTokenResponse::builder().access_token(token).token_type("Bearer");
            let raw = raw.expires_in(LIFE.as_secs()).build();
            let response = raw.into_token_response(None, SystemTime::now());
            response.map(Arc::new).map_err(|error| Error::new(RetryAdvice::No, error).into())
        })
    }
}

impl Subject for Huskarl {
    async fn new(service: &Service) -> Self {
        let source = ServiceSource(service.clone());
        Self(Arc::new(InMemoryTokenCache::builder().source(source).build()))
    }

    async fn token(&self) -> bool {
        self.0.token().await.inspect(|it| look(&it.access_token())).is_ok()
    }
}
