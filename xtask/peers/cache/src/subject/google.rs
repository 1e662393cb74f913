//! google-cloud-auth's credentials of the metadata service, which takes tokens over HTTP only: from a server on loopback.

use google_cloud_auth::credentials::{AccessTokenCredentials, mds};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Subject, look};
use crate::service::Service;

#[derive(Clone)]
pub(crate) struct Google(AccessTokenCredentials);

impl Subject for Google {
    const VIRTUAL: bool = false;

    async fn new(service: &Service) -> Self {
        // reqwest wants a provider also for plain HTTP; that there is one already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("a listener has an address");
        tokio::spawn(serve(listener, service.clone()));
        let builder = mds::Builder::default().with_endpoint(format!("http://{address}"));
        Self(builder.build_access_token_credentials().expect("nothing is asked yet"))
    }

    async fn token(&self) -> bool {
        self.0.access_token().await.inspect(|it| look(&it.token)).is_ok()
    }
}

async fn serve(listener: TcpListener, service: Service) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, service.clone()));
    }
}

/// One request a connection; requests have no body.
async fn answer(mut stream: TcpStream, service: Service) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let (status, body) = service.reply().await;
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(reply.as_bytes()).await;
}
