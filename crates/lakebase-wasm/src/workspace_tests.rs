//! Refused workspace tokens of calls that overlap.

use std::pin::pin;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{Either, ready, select};
use lakebase_testkit::FakeTime;

use super::*;
use crate::Reply;

/// Issues tokens `t1`, `t2`, …, and answers calls that bear a later token than the last revoked one.
#[derive(Clone, Debug, Default)]
struct Server(Arc<Mutex<Issued>>);

#[derive(Debug, Default)]
struct Issued {
    last: u64,
    revoked: u64,
    /// Delays the next call.
    held: Option<oneshot::Receiver<()>>,
}

impl Server {
    fn with<T>(&self, f: impl FnOnce(&mut Issued) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    /// Revokes all tokens so far.
    fn revoke(&self) {
        self.with(|issued| issued.revoked = issued.last);
    }
}

impl Fetch for Server {
    fn fetch(&self, request: Request) -> BoxFuture<'static, Result<Reply>> {
        let server = self.clone();
        Box::pin(async move {
            if request.url.ends_with("/oidc/v1/token") {
                let number = server.with(|issued| {
                    issued.last += 1;
                    issued.last
                });
                let body = format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#);
                return Ok(Reply { status: 200, body: body.into(), ..Reply::default() });
            }
            if let Some(held) = server.with(|issued| issued.held.take()) {
                held.await.unwrap();
            }
            let number = request.authorization.expose().trim_start_matches("Bearer t");
            let number: u64 = number.parse().unwrap();
            let status = if number > server.with(|issued| issued.revoked) { 200 } else { 401 };
            let body = format!(r#"{{"name":"x","status":{{"hosts":{{"host":"h{number}"}}}}}}"#);
            Ok(Reply { status, body: body.into(), ..Reply::default() })
        })
    }
}

#[test]
fn a_token_from_before_the_refusal_is_replaced_too() {
    let (server, time) = (Server::default(), FakeTime::new());
    let clock = Arc::new(time.clone());
    let (timer, deadline, detach) = (Arc::clone(&clock), Arc::clone(&clock), None);
    let effects = Effects { http: Arc::new(server.clone()), clock, timer, deadline, detach };
    let identity = Identity::ServicePrincipal {
        client_id: "app".into(),
        client_secret: Secret::new("s3cret"),
    };
    let endpoint: EndpointName = "projects/p/branches/b/endpoints/e".parse().unwrap();
    let settings =
        Settings::new("w.example".parse().unwrap(), identity, Target::Endpoint(endpoint.clone()));
    let workspace = Workspace::new(settings, effects).unwrap();
    let second = || time.advance(Duration::from_secs(1));

    let (answer, held) = oneshot::channel();
    server.with(|issued| issued.held = Some(held));
    let slow = pin!(workspace.endpoint_host(&endpoint));
    let Either::Right(((), slow)) = block_on(select(slow, ready(()))) else {
        panic!("the call is not held")
    };
    server.revoke();
    second();
    // Another call is refused, and brings a token while the first waits for its answer.
    assert_eq!(&*block_on(workspace.endpoint_host(&endpoint)).unwrap(), "h2");
    server.revoke();
    second();
    answer.send(()).unwrap();
    assert_eq!(&*block_on(slow).unwrap(), "h3");

    // A token from after the refusal is the last one.
    server.with(|issued| issued.revoked = u64::MAX);
    second();
    let error = block_on(workspace.endpoint_host(&endpoint)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(server.with(|issued| issued.last), 4);
}
