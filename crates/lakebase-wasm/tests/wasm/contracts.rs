//! The contracts of core's traits, kept where JavaScript is. `tests/js/rust.test.mjs` calls these functions, which
//! panic at a broken promise.
#![cfg(all(target_family = "wasm", target_os = "unknown"))]
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "to panic at a broken promise is what all of this does"
)]

use std::sync::Arc;

use futures::future::{Either, join_all, ready, select};
use lakebase_core::{CredentialCache, EndpointName, ErrorKind, Secret, Target};
use lakebase_testkit::conformance::login;
use lakebase_wasm::{Effects, Identity, Settings, Workspace};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The test's own: a promise whose task panicked never settles.
    #[wasm_bindgen(js_name = contractBroken)]
    fn contract_broken(text: &str);
}

/// Hands the message of a panic to the test.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| contract_broken(&panic.to_string())));
}

/// One workspace and endpoint, with the identity that is given.
fn settings(host: &str, endpoint: &str, identity: Identity) -> Settings {
    Settings::new(host.parse().unwrap(), identity, Target::Endpoint(endpoint.parse().unwrap()))
}

fn principal(client_id: &str, client_secret: &str) -> Identity {
    let client_secret = Secret::new(client_secret);
    Identity::ServicePrincipal { client_id: client_id.into(), client_secret }
}

/// The suite of every `CredentialSource`, with a service principal and with a token.
#[wasm_bindgen]
pub async fn credential_source(host: &str, id: &str, secret: &str, token: &str, endpoint: &str) {
    let known: EndpointName = endpoint.parse().unwrap();
    let unknown = "projects/demo/branches/production/endpoints/nobody".parse().unwrap();
    for identity in [principal(id, secret), Identity::Token(Secret::new(token))] {
        let effects = Effects::javascript();
        let timer = Arc::clone(&effects.timer);
        let workspace = Workspace::new(settings(host, endpoint, identity), effects).unwrap();
        login::credential_source(&workspace, &*timer, &known, &unknown).await;
        let printed = format!("{workspace:?}");
        assert!(!printed.contains(secret) && !printed.contains(token), "a secret is printed");
    }
}

/// Nothing is cached and nothing retried: `calls` fetches that are refused; the caller counts what arrived.
#[wasm_bindgen]
pub async fn refused(host: &str, id: &str, wrong_secret: &str, endpoint: &str, calls: u32) {
    let settings = settings(host, endpoint, principal(id, wrong_secret));
    let request = settings.request(endpoint.parse().unwrap());
    let source: Arc<dyn lakebase_core::CredentialSource> =
        Arc::new(Workspace::new(settings, Effects::javascript()).unwrap());
    for _ in 0..calls {
        let error = source.fetch(&request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{}", error.report());
        assert_eq!(error.status(), Some(401));
        let printed = format!("{error:?} {}", error.report());
        assert!(!printed.contains(wrong_secret), "the secret is printed");
    }
}

/// Core's cache over a workspace: one mint for many callers, also when the first leaves, and one more after a refusal.
#[wasm_bindgen]
pub async fn credential_cache(host: &str, id: &str, secret: &str, endpoint: &str) {
    let effects = Effects::javascript();
    let runtime = effects.runtime();
    let settings = settings(host, endpoint, principal(id, secret));
    let request = settings.request(endpoint.parse().unwrap());
    let workspace = Arc::new(Workspace::new(settings, effects).unwrap());
    let cache = CredentialCache::new(workspace, request, &runtime);

    let leaving = select(Box::pin(cache.get()), ready(())).await;
    assert!(matches!(leaving, Either::Right(_)), "the first mint takes a moment");
    drop(leaving);
    let held = join_all((0..40).map(|_| cache.get())).await;
    let first = held[0].as_ref().unwrap();
    for other in &held {
        assert!(other.as_ref().unwrap().token.same_as(&first.token));
    }
    cache.invalidate(first.generation());
    let second = cache.get().await.unwrap();
    assert!(!second.token.same_as(&first.token), "a refused token is not handed out again");
}
