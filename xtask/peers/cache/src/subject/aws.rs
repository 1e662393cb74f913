//! aws-smithy-runtime's lazy identity cache over a resolver.

use std::time::SystemTime;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::identity::{
    Identity, IdentityFuture, ResolveCachedIdentity as _, ResolveIdentity, SharedIdentityCache,
    SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;

use super::{Subject, look};
use crate::service::{LIFE, Service};

#[derive(Clone)]
pub(crate) struct Aws {
    cache: SharedIdentityCache,
    resolver: SharedIdentityResolver,
    components: RuntimeComponents,
    bag: std::sync::Arc<ConfigBag>,
}

#[derive(Debug)]
struct Token(String);

#[derive(Debug)]
struct ServiceResolver(Service);

impl ResolveIdentity for ServiceResolver {
    fn resolve_identity<'a>(
        &'a self,
        _: &'a RuntimeComponents,
        _: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::new(async {
            let token = self.0.mint().await.ok_or("HTTP 503")?;
            let expiry = Some(SystemTime::now() + LIFE);
            Ok(Identity::new(Token(token.to_owned()), expiry))
        })
    }
}

impl Subject for Aws {
    async fn new(service: &Service) -> Self {
        let components = RuntimeComponentsBuilder::for_tests()
            .with_time_source(Some(SystemTimeSource::new()))
            .with_sleep_impl(Some(TokioSleep::new()))
            .build()
            .expect("the components are complete");
        Self {
            cache: IdentityCache::lazy().build(),
            resolver: SharedIdentityResolver::new(ServiceResolver(service.clone())),
            components,
            bag: std::sync::Arc::new(ConfigBag::base()),
        }
    }

    async fn token(&self) -> bool {
        let identity =
            self.cache.resolve_cached_identity(self.resolver.clone(), &self.components, &self.bag);
        identity.await.inspect(|it| look(&it.data::<Token>().map(|token| &token.0))).is_ok()
    }
}
