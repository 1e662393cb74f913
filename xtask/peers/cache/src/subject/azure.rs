//! azure_identity's client secret credential with its transport replaced and its pipeline's own retries off.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, ClientOptions, HttpClient, Request, RetryOptions, StatusCode, Transport,
};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};

use super::{Subject, look};
use crate::service::Service;

#[derive(Clone)]
pub(crate) struct Azure(Arc<ClientSecretCredential>);

#[derive(Debug)]
struct ServiceClient(Service);

#[async_trait]
impl HttpClient for ServiceClient {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, body) = self.0.reply().await;
        // A status that its pipeline does not repeat by itself.
        let status = if status == 503 { 400 } else { status };
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(status), Headers::new(), body))
    }
}

impl Subject for Azure {
    async fn new(service: &Service) -> Self {
        let client_options = ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(ServiceClient(service.clone())))),
            ..ClientOptions::default()
        };
        let options = ClientSecretCredentialOptions { client_options };
        let secret = Secret::new("secret");
        let credential =
            ClientSecretCredential::new("tenant", "client".to_owned(), secret, Some(options));
        Self(credential.expect("the settings are complete"))
    }

    async fn token(&self) -> bool {
        let scopes = ["https://database.example/.default"];
        self.0.get_token(&scopes, None).await.inspect(|it| look(&it.token)).is_ok()
    }
}
