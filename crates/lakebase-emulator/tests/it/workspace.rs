//! The workspace's API over HTTP and HTTPS.

use std::sync::Arc;
use std::time::Duration;

use lakebase_emulator::{
    Body, Effect, Emulator, Fault, Operation, WrongCertificate, sequential_hops,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::client::{credential, exchange, http, tls, workspace_token};

/// Long enough for two requests to overlap on a busy machine.
const HELD: Duration = Duration::from_millis(500);
const ME: &str = "/api/2.0/preview/scim/v2/Me";

#[tokio::test]
async fn requests_are_recorded_with_their_overlap() {
    let emulator = Emulator::builder().start().unwrap();
    let d = emulator.description();
    emulator.inject(Fault::new(Operation::Me, Effect::Latency { duration: HELD }));
    let me = || http(d, "GET", ME, &d.token, "");
    let (first, second) = tokio::join!(me(), me());
    assert_eq!(first.unwrap().json()["userName"], d.user.as_str());
    assert!(second.unwrap().head.contains("x-databricks-org-id: "));
    credential(&emulator, &d.token).await;
    let requests = emulator.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(sequential_hops(&requests), 2);
    assert!(requests[0].ended.unwrap() - requests[0].started >= HELD);
    emulator.clear_requests();
    assert!(emulator.requests().is_empty());

    let token = &workspace_token(d).await;
    let name = &http(d, "GET", ME, token, "").await.unwrap().json()["userName"];
    assert_eq!(name, d.client_id.as_str());
    emulator.revoke_tokens();
    assert_eq!(http(d, "GET", ME, token, "").await.unwrap().status, 401);
    assert_eq!(http(d, "GET", ME, &d.token, "").await.unwrap().status, 200);

    // What tests and people see of an emulator never shows a secret.
    let state = http(d, "GET", "/_emulator/state", "", "").await.unwrap().body;
    let shown = format!("{state}{emulator:?}{d:?}{:?}", Emulator::builder());
    for secret in [&d.client_secret, &d.token, &d.password, token] {
        assert!(!shown.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn connections_break_on_request() {
    let emulator = Emulator::builder().start().unwrap();
    let d = emulator.description();
    let order = r#"{"on":"me","times":1,"effect":{"kind":"drop"}}"#;
    assert_eq!(http(d, "POST", "/_emulator/faults", "", order).await.unwrap().status, 200);
    assert!(http(d, "GET", ME, &d.token, "").await.is_err(), "no answer at all");
    emulator.inject(Fault::new(Operation::Me, Effect::Garble { body: Body::Cut }).times(1));
    assert!(http(d, "GET", ME, &d.token, "").await.is_err(), "half an answer");
    emulator.inject(Fault::new(Operation::Me, Effect::Garble { body: Body::Truncated }));
    let half = http(d, "GET", ME, &d.token, "").await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&half.body).is_err());
    emulator.clear();
    emulator.inject(Fault::new(Operation::Any, Effect::Skew { seconds: 86_400 }));
    let ahead = http(d, "GET", ME, &d.token, "").await.unwrap();
    let real = http(d, "GET", "/_emulator/state", "", "").await.unwrap();
    assert_ne!(date(&ahead.head), date(&real.head));
}

fn date(head: &str) -> String {
    let date = head.lines().find_map(|line| line.strip_prefix("date: ")).expect("a Date header");
    date.split(' ').take(4).collect()
}

#[tokio::test]
async fn https_shows_a_certificate_of_its_own_authority() {
    let emulator = Emulator::builder().https(true).token_path("/oidc/moved").start().unwrap();
    let d = emulator.description();
    let port = d.host.strip_prefix("https://localhost:").unwrap();
    let port: u16 = port.parse().unwrap();
    let connector = TlsConnector::from(Arc::new(tls(emulator.ca_pem())));
    for name in ["localhost", "127.0.0.1"] {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let stream = connector.connect(ServerName::try_from(name).unwrap(), tcp).await.unwrap();
        let path = "/oidc/.well-known/oauth-authorization-server";
        let known = exchange(stream, "GET", path, "", "").await.unwrap().json();
        assert_eq!(known["token_endpoint"], format!("{}/oidc/moved", d.host));
    }
    let wrong = WrongCertificate::Expired;
    emulator.inject(Fault::new(Operation::Any, Effect::Certificate { wrong }).times(1));
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let error = connector.connect(name, tcp).await.unwrap_err().to_string();
    assert!(error.contains("expired"), "{error}");
    assert_eq!(std::fs::read_to_string(&d.ca_cert).unwrap(), emulator.ca_pem());
}
