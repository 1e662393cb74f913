//! object_store's credential provider for Azure with a client secret, its transport replaced and its own retries off.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};
use object_store::{ClientOptions, RetryConfig};

use super::{Subject, look};
use crate::service::Service;

#[derive(Clone)]
pub(crate) struct ObjectStore(Arc<MicrosoftAzure>);

#[derive(Clone, Debug)]
struct ServiceClient(Service);

impl HttpConnector for ServiceClient {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for ServiceClient {
    async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (status, body) = self.0.reply().await;
        let mut response = HttpResponse::new(body.into());
        *response.status_mut() = http::StatusCode::from_u16(status).expect("200 or 503");
        Ok(response)
    }
}

impl Subject for ObjectStore {
    async fn new(service: &Service) -> Self {
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let store = MicrosoftAzureBuilder::new()
            .with_account("account")
            .with_container_name("container")
            .with_client_secret_authorization("client", "secret", "tenant")
            .with_http_connector(ServiceClient(service.clone()))
            .with_retry(retry)
            .build();
        Self(Arc::new(store.expect("the settings are complete")))
    }

    async fn token(&self) -> bool {
        self.0.credentials().get_credential().await.inspect(look).is_ok()
    }
}
