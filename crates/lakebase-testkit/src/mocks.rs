//! Mocks of the connector's traits, for tests in which the interaction is the point.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use lakebase_core::{
    Access, ConnectFailure, ConnectParams, ConnectionFactory, CredentialRequest, CredentialSource,
    DatabaseCredential, Endpoint, EndpointResolver, Error, HostResolver, Result, Target,
    UserResolver,
};
use mockall::mock;

mock! {
    /// A [`CredentialSource`] with expectations.
    #[derive(Debug)]
    pub CredentialSource {}

    #[async_trait]
    impl CredentialSource for CredentialSource {
        async fn fetch(&self, request: &CredentialRequest) -> Result<DatabaseCredential>;
    }
}

mock! {
    /// An [`EndpointResolver`] with expectations.
    #[derive(Debug)]
    pub EndpointResolver {}

    #[async_trait]
    impl EndpointResolver for EndpointResolver {
        async fn resolve(&self, target: &Target, access: Access) -> Result<Endpoint>;
    }
}

mock! {
    /// A [`UserResolver`] with expectations.
    #[derive(Debug)]
    pub UserResolver {}

    #[async_trait]
    impl UserResolver for UserResolver {
        async fn resolve(&self) -> Result<Arc<str>>;
    }
}

mock! {
    /// A [`HostResolver`] with expectations.
    #[derive(Debug)]
    pub HostResolver {}

    #[async_trait]
    impl HostResolver for HostResolver {
        async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>>;
    }
}

mock! {
    /// A [`ConnectionFactory`] with expectations; its connections are numbers.
    #[derive(Debug)]
    pub ConnectionFactory {}

    #[async_trait]
    impl ConnectionFactory for ConnectionFactory {
        type Connection = u32;
        type Error = Error;
        async fn connect(&self, params: &ConnectParams) -> std::result::Result<u32, Error>;
        fn classify(&self, error: &Error) -> ConnectFailure;
    }
}
