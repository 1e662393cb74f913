//! What every source of the parts of a login must do, and every driver that logs in with them.
#![expect(clippy::unwrap_used, reason = "to panic at a broken promise is what all of this does")]

use std::pin::pin;

use futures::future::{Either, ready, select};
use lakebase_core::{
    Access, ConnectFailure, ConnectParams, ConnectionFactory, CredentialRequest, CredentialSource,
    EndpointName, EndpointResolver, ErrorKind, Target, Timer, UserResolver,
};

use super::within;

/// Fresh tokens with an expiry, known errors, silence about secrets, and no harm from cancellation.
pub async fn credential_source(
    source: &dyn CredentialSource,
    timer: &dyn Timer,
    known: &EndpointName,
    unknown: &EndpointName,
) {
    let request = CredentialRequest::new(known.clone());
    abandon(source.fetch(&request)).await;
    let first = within(timer, "a credential", source.fetch(&request)).await.unwrap();
    let second = within(timer, "another credential", source.fetch(&request)).await.unwrap();
    assert!(!first.token.same_as(&second.token), "each call asks the service again");
    for credential in [&first, &second] {
        let served = credential.served_at.unwrap_or(credential.expires_at);
        assert!(served < credential.expires_at, "a new token lives: {credential:?}");
        let printed = format!("{source:?} {credential:?}");
        assert!(!printed.contains(credential.token.expose()), "a token is printed");
    }
    let forced = CredentialRequest { force: true, ..request };
    let third = within(timer, "a forced credential", source.fetch(&forced)).await.unwrap();
    assert!(!third.token.same_as(&second.token));

    let nowhere = CredentialRequest::new(unknown.clone());
    let error = within(timer, "a refusal", source.fetch(&nowhere)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.report());
}

/// The endpoint of a branch by its type, a named one as it is, known errors.
pub async fn endpoint_resolver(
    resolver: &dyn EndpointResolver,
    timer: &dyn Timer,
    branch: &Target,
    named: &EndpointName,
    unknown: &EndpointName,
) {
    abandon(resolver.resolve(branch, Access::ReadWrite)).await;
    for (access, kind) in [(Access::ReadWrite, "read-write"), (Access::ReadOnly, "read-only")] {
        let found = within(timer, "a branch", resolver.resolve(branch, access)).await.unwrap();
        assert_eq!(found.endpoint_type.to_string(), kind, "chosen by type: {found:?}");
        assert!(found.host(access).is_ok(), "{found:?}");
    }
    let target = Target::Endpoint(named.clone());
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let found = within(timer, "an endpoint", resolver.resolve(&target, access)).await.unwrap();
        assert_eq!(
            found.name.as_endpoint(),
            Some(named),
            "a named endpoint is returned whatever its type"
        );
    }
    let nowhere = Target::Endpoint(unknown.clone());
    let error = within(timer, "a refusal", resolver.resolve(&nowhere, Access::ReadWrite)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.report());
}

/// The same name every time.
pub async fn user_resolver(resolver: &dyn UserResolver, timer: &dyn Timer, expected: &str) {
    abandon(resolver.resolve()).await;
    for _ in 0..2 {
        let user = within(timer, "the user", resolver.resolve()).await.unwrap();
        assert_eq!(&*user, expected);
    }
}

/// Logs in with what it is given, tells refusals apart, and prints no password.
///
/// `params` must work. `wrong_name` is a host that the server at the same addresses is not.
pub async fn connection_factory<F: ConnectionFactory>(
    factory: &F,
    timer: &dyn Timer,
    params: &ConnectParams,
    wrong_name: &str,
) {
    abandon(factory.connect(params)).await;
    drop(within(timer, "a login", factory.connect(params)).await.unwrap());

    let check = async |params: ConnectParams, expected: ConnectFailure| {
        let secret = params.password.as_ref().map_or("", |password| password.expose()).to_owned();
        let outcome = within(timer, "a refused login", factory.connect(&params)).await;
        let Err(error) = outcome else { panic!("the login should fail: {params:?}") };
        assert_eq!(factory.classify(&error), expected, "{error}");
        let printed = format!("{factory:?} {error} {error:?}");
        assert!(secret.is_empty() || !printed.contains(&secret), "a password is printed");
    };
    let permanent = ConnectFailure::Permanent;
    let wrong = ConnectParams { password: Some("wrong-password".into()), ..params.clone() };
    check(wrong, ConnectFailure::AuthRejected).await;
    let nowhere = ConnectParams { database: "no_such_database".into(), ..params.clone() };
    check(nowhere, permanent(ErrorKind::NotFound)).await;
    let stranger = ConnectParams { host: wrong_name.into(), ..params.clone() };
    check(stranger, permanent(ErrorKind::Tls)).await;
}

/// Polls `work` once and drops it: its owner must go on working.
async fn abandon<T>(work: impl Future<Output = T>) {
    match select(pin!(work), ready(())).await {
        Either::Left(_) | Either::Right(_) => {}
    }
}
