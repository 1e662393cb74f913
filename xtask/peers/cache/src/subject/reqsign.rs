//! reqsign-core's signer. Its cache is reached by signing a request only, which clones the request's head.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqsign_core::{Context, Error, ProvideCredential, SignRequest, Signer, SigningCredential};

use super::Subject;
use crate::service::{LIFE, Service};

#[derive(Clone)]
pub(crate) struct Reqsign {
    signer: Signer<Token>,
    parts: Arc<http::request::Parts>,
}

#[derive(Clone, Debug)]
struct Token {
    token: String,
    expiry: SystemTime,
}

impl SigningCredential for Token {
    fn is_valid(&self) -> bool {
        !self.token.is_empty() && SystemTime::now() < self.expiry
    }
}

#[derive(Debug)]
struct Provider(Service);

impl ProvideCredential for Provider {
    type Credential = Token;

    async fn provide_credential(&self, _: &Context) -> reqsign_core::Result<Option<Token>> {
        let token = self.0.mint().await.ok_or_else(|| Error::unexpected("HTTP 503"))?;
        Ok(Some(Token { token: token.to_owned(), expiry: SystemTime::now() + LIFE }))
    }
}

/// Looks at the token and leaves the request as it is.
#[derive(Debug)]
struct Look;

impl SignRequest for Look {
    type Credential = Token;

    async fn sign_request(
        &self,
        _: &Context,
        _: &mut http::request::Parts,
        credential: Option<&Token>,
        _: Option<Duration>,
    ) -> reqsign_core::Result<()> {
        black_box(credential);
        Ok(())
    }
}

impl Subject for Reqsign {
    async fn new(service: &Service) -> Self {
        let signer = Signer::new(Context::new(), Provider(service.clone()), Look);
        let (parts, ()) = http::Request::new(()).into_parts();
        Self { signer, parts: Arc::new(parts) }
    }

    async fn token(&self) -> bool {
        let mut parts = http::request::Parts::clone(&self.parts);
        self.signer.sign(&mut parts, None).await.is_ok()
    }
}
