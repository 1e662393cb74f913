//! Handles that act in the name of a user.

use std::sync::Arc;

use futures::future::try_join_all;
use lakebase::{ErrorKind, Lakebase};
use lakebase_emulator::{Emulator, TokenFor};
use lakebase_testkit::assert_error;

use crate::identities::rows::HOUR;
use crate::support::{Setup, current_user, shared};

on_each_runtime! {
    the_user_logs_in_with_a_name_of_their_own what_is_not_secret_is_shared requests_of_one_user_share_a_credential
    a_refused_token_harms_nobody_else what_cannot_be_done_is_said
}

async fn who(lakebase: &Lakebase) -> String {
    current_user(lakebase).await.unwrap()
}

fn token(emulator: &Emulator) -> String {
    emulator.issue_token(TokenFor::User, "", HOUR)
}

fn count(emulator: &Emulator, end: &str) -> usize {
    emulator.requests().iter().filter(|request| request.path.ends_with(end)).count()
}

async fn the_user_logs_in_with_a_name_of_their_own() {
    let it = shared().description();
    // Whatever the service's own role is called.
    let service = Setup::m2m(shared()).set("PGUSER", &it.client_id).build();
    let user = service.on_behalf_of(token(shared())).unwrap();
    assert_eq!(who(&user).await, it.user);
    assert_eq!(who(&service).await, it.client_id);
    assert_eq!(user.workspace().unwrap().auth_type(), "on-behalf-of");
    assert_eq!(service.workspace().unwrap().auth_type(), "oauth-m2m");
    assert_eq!(&*user.user().await.unwrap(), it.user);
}

async fn what_is_not_secret_is_shared() {
    let emulator = Emulator::builder().start().unwrap();
    let service = Setup::m2m(&emulator).branch("demo", "production").build();
    who(&service).await;
    let lists = count(&emulator, "/endpoints");
    let tokens = count(&emulator, "/oidc/v1/token");
    let token = token(&emulator);
    let user = service.on_behalf_of(token.as_str()).unwrap();
    who(&user).await;
    assert_eq!(count(&emulator, "/endpoints"), lists, "the endpoint was known");
    assert_eq!(count(&emulator, "/oidc/v1/token"), tokens, "the user has a token");
    let (ours, theirs) = (service.connector().runtime(), user.connector().runtime());
    assert!(Arc::ptr_eq(&ours.http, &theirs.http), "and so HTTP connections");
    let (ours, theirs) = (service.credential().await.unwrap(), user.credential().await.unwrap());
    assert!(!ours.token.same_as(&theirs.token));
    for text in [format!("{user:?}{:?}", user.workspace()), format!("{service:?}")] {
        assert!(!text.contains(&token));
    }
}

async fn requests_of_one_user_share_a_credential() {
    let emulator = Emulator::builder().start().unwrap();
    let service = Setup::m2m(&emulator).build();
    let tokens = [token(&emulator), token(&emulator)];
    let requests = (0..100).map(|number| {
        let user = service.on_behalf_of(tokens[number % 2].as_str()).unwrap();
        async move { user.credential().await.map(|held| held.token.clone()) }
    });
    let seen = try_join_all(requests).await.unwrap();
    assert!(seen.iter().step_by(2).all(|token| token.same_as(&seen[0])));
    assert!(!seen[0].same_as(&seen[1]), "another token is another identity");
    assert_eq!(count(&emulator, "/credentials"), 2);
}

async fn a_refused_token_harms_nobody_else() {
    let emulator = Emulator::builder().start().unwrap();
    let service = Setup::m2m(&emulator).build();
    let good = service.on_behalf_of(token(&emulator)).unwrap();
    let bad = service.on_behalf_of("hush-expired-token").unwrap();
    let error = bad.connect().await.map(drop).unwrap_err();
    let part = "the token that the user's request brought";
    assert_error(&error, ErrorKind::Unauthenticated, &[part]);
    assert!(!format!("{error:?}").contains("hush"));
    assert_eq!(who(&good).await, emulator.description().user);
    assert_eq!(who(&service).await, emulator.description().client_id);
}

async fn what_cannot_be_done_is_said() {
    let service = Setup::m2m(shared()).build();
    for token in ["", "two words", "line\nbreak"] {
        let error = service.on_behalf_of(token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with("the user's token is empty, or has"), "{error}");
    }
    for setup in [
        Setup::password(shared()),
        Setup::empty().set("LAKEBASE_PG_URL", "postgresql://me@localhost/db"),
    ] {
        let error = setup.build().on_behalf_of("token").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}
