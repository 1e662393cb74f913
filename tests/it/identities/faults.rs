//! What becomes of an identity when its token is rotated, expires, or its service is down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use lakebase::core::Environment;
use lakebase::{ErrorKind, Lakebase};
use lakebase_emulator::{Effect, Emulator, Fault, Operation, TokenFor};
use lakebase_testkit::assert_error;

use super::rows::{HOUR, row};
use crate::support::Setup;

on_each_runtime! {
    a_rotated_file_is_used_without_a_restart an_expired_file_is_named a_service_that_is_down_harms_no_living_token
    a_failure_is_shared_and_spaced a_refused_request_token_is_told a_redirect_leads_nowhere
}

const FILE: &str = "/run/rotating";

/// A handle by `file-oidc` whose file is what `text` holds.
fn by_file(emulator: &Emulator, text: &Arc<Mutex<String>>) -> Lakebase {
    let it = emulator.description();
    let setup = Setup::place(emulator)
        .set("LAKEBASE_ENDPOINT", &it.endpoint)
        .set("DATABRICKS_OIDC_TOKEN_FILEPATH", FILE);
    let (fixed, text) = (setup.environment(), Arc::clone(text));
    let variables = fixed.clone();
    let environment = Environment::new(
        move |name| variables.var(name).map(|setting| setting.value),
        move |path| match path.to_str() {
            Some(FILE) => Ok(text.lock().unwrap().clone()),
            _ => fixed.read_file(path),
        },
    );
    setup.builder().environment(environment).build().unwrap()
}

fn exchanges(emulator: &Emulator) -> usize {
    emulator.requests().iter().filter(|request| request.path == "/oidc/v1/token").count()
}

async fn a_rotated_file_is_used_without_a_restart() {
    let emulator = Emulator::builder().start().unwrap();
    let text = Arc::new(Mutex::new(emulator.issue_token(TokenFor::Exchange, "any", HOUR)));
    let lakebase = by_file(&emulator, &text);
    lakebase.workspace().unwrap().current_user().await.unwrap();
    // The id token of the start has expired and the workspace's token is refused: only the new file helps.
    emulator.advance(2 * HOUR);
    *text.lock().unwrap() = emulator.issue_token(TokenFor::Exchange, "any", HOUR);
    lakebase.workspace().unwrap().current_user().await.unwrap();
    assert_eq!(exchanges(&emulator), 2);
}

async fn an_expired_file_is_named() {
    let emulator = Emulator::builder().start().unwrap();
    let token = emulator.issue_token(TokenFor::Exchange, "any", Duration::ZERO);
    let lakebase = by_file(&emulator, &Arc::new(Mutex::new(token.clone())));
    let error = lakebase.connect().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let report = error.report();
    assert!(report.contains("the workspace refused the id token in /run/rotating"), "{report}");
    assert!(
        report.contains("it expired 0 s ago") || report.contains("it expired 1 s ago"),
        "{report}"
    );
    assert!(!format!("{error:?}").contains(&token));
}

async fn a_service_that_is_down_harms_no_living_token() {
    let emulator = Emulator::builder().start().unwrap();
    for auth_type in ["github-oidc", "azure-msi", "metadata-service", "google-id"] {
        let lakebase = row(&emulator, auth_type).build(&emulator);
        let workspace = lakebase.workspace().unwrap();
        let before = workspace.access_token().await.unwrap().generation();
        emulator.inject(Fault::new(Operation::TokenService, Effect::reply(503)));
        workspace.current_user().await.unwrap();
        assert_eq!(workspace.access_token().await.unwrap().generation(), before, "{auth_type}");
        // A token that was refused is not used again, and what is wrong with the new one is said.
        workspace.tokens().invalidate(before);
        let error = workspace.access_token().await.map(drop).unwrap_err();
        assert_eq!(error.status(), Some(503), "{}", error.report());
        assert!(error.is_transient());
        emulator.clear();
    }
}

async fn a_failure_is_shared_and_spaced() {
    let emulator = Emulator::builder().start().unwrap();
    emulator.inject(Fault::new(Operation::TokenService, Effect::Drop).only("/metadata/"));
    let lakebase = row(&emulator, "azure-msi").build(&emulator);
    let workspace = lakebase.workspace().unwrap();
    for _ in 0..3 {
        let results = join_all((0..100).map(|_| workspace.access_token())).await;
        assert!(results.iter().all(|result| result.as_ref().is_err_and(|e| e.is_transient())));
    }
    let mut per_path: HashMap<String, usize> = HashMap::new();
    for request in emulator.requests() {
        *per_path.entry(request.path).or_default() += 1;
    }
    // One flight with its retries for 300 callers, and at most another after the pause.
    assert!(per_path["/metadata/identity/oauth2/token"] <= 8, "{per_path:?}");
}

async fn a_refused_request_token_is_told() {
    let emulator = Emulator::builder().start().unwrap();
    let row = row(&emulator, "github-oidc");
    let builder = row.setup.clone().set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong-request-token");
    let lakebase = row.build_as(&emulator, builder.builder());
    let error = lakebase.connect().await.map(drop).unwrap_err();
    assert_error(&error, ErrorKind::Unauthenticated, &["GitHub's token service answered 401"]);
    assert!(!format!("{error:?}").contains("wrong-request-token"));
}

async fn a_redirect_leads_nowhere() {
    let emulator = Emulator::builder().start().unwrap();
    for auth_type in ["github-oidc", "azure-devops-oidc", "azure-msi", "metadata-service"] {
        emulator.clear();
        let location = format!("{}/github/id-token", emulator.description().host);
        emulator.inject(Fault::new(Operation::TokenService, Effect::Redirect { location }));
        emulator.clear_requests();
        let lakebase = row(&emulator, auth_type).build(&emulator);
        let error = lakebase.connect().await.map(drop).unwrap_err();
        assert!(error.report().contains("which is not followed"), "{}", error.report());
        let services = emulator.requests();
        let services = services.iter().filter(|request| request.status == 302).count();
        assert_eq!(services, 1, "{auth_type}");
    }
}
