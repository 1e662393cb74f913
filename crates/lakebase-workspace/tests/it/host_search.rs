//! The search for the compute that has a host: what is asked, how much at once, and when it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use lakebase_core::{
    Access, BoxFuture, Endpoint, EndpointResolver, Error, ErrorKind, Result, Runtime, Target, Timer,
};
use lakebase_workspace::WorkspaceClient;

use crate::support::*;

fn search(client: &WorkspaceClient, host: &str) -> Result<Endpoint> {
    run(client.resolve(&Target::Host(host.into()), Access::ReadWrite))
}

/// The search for a host that must fail with this kind of error.
#[track_caller]
fn fails(client: &WorkspaceClient, host: &str, kind: ErrorKind) -> Error {
    let error = search(client, host).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    error
}

/// A list of `plural` with these names, and perhaps the token of the next page.
fn list(plural: &str, names: &[&str], next: &str) -> String {
    let one = |name: &&str| {
        let id = name.rsplit('/').next().unwrap_or_default();
        format!(
            r#"{{"name":"{name}","status":{{"endpoint_type":"ENDPOINT_TYPE_READ_WRITE","hosts":{{"host":"{id}.example"}}}}}}"#
        )
    };
    let items: Vec<String> = names.iter().map(one).collect();
    format!(r#"{{"{plural}":[{}],"next_page_token":"{next}"}}"#, items.join(","))
}

/// Two pages of projects, each with one branch; the endpoint's id is the project's.
fn workspace(seen: &Seen) -> Option<Answer> {
    let path = seen.path().strip_prefix("/api/2.0/postgres/").unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["projects"] if seen.request.uri().query().is_none() => {
            reply(200, list("projects", &["projects/a", "projects/b"], "2"))
        }
        ["projects"] => reply(200, list("projects", &["projects/c"], "")),
        ["projects", "b", ..] => reply(403, r#"{"error_code":"PERMISSION_DENIED"}"#),
        ["projects", p, "branches"] => {
            reply(200, list("branches", &[&format!("projects/{p}/branches/m")], ""))
        }
        ["projects", p, "branches", "m", "endpoints"] => {
            let name = format!("projects/{p}/branches/m/endpoints/{p}");
            reply(200, list("endpoints", &[&name], ""))
        }
        _ => reply(404, ""),
    }
}

#[test]
fn goes_through_all_pages_and_past_what_may_not_be_read() {
    let (client, _) = scripted(PAT, workspace);
    for id in ["a", "c"] {
        let found = search(&client, &format!("{id}.EXAMPLE.")).unwrap();
        assert_eq!(found.name.to_string(), format!("projects/{id}/branches/m/endpoints/{id}"));
    }
    let http = FakeHttp::new(workspace);
    let client = self::client(PAT, &http);
    let text = fails(&client, "nobody.example", ErrorKind::NotFound).to_string();
    for part in [
        "no endpoint of https://w.example has the host nobody.example",
        "looked at 2 endpoints of 2 branches in 3 projects (1 lists could not be read",
        "LAKEBASE_ENDPOINT",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // Two pages of projects, three lists of branches, two of endpoints; nothing else, and no credential.
    assert_eq!(
        http.seen().iter().filter(|seen| !seen.path().ends_with("endpoints")).count() % 5,
        0
    );
    assert_eq!(http.count("credentials"), 0);
}

#[test]
fn an_identity_that_may_not_list_projects_is_told_so() {
    let (client, http) =
        scripted(PAT, |_| reply(403, r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#));
    let error = fails(&client, "a.example", ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("searching for the endpoint of a.example"), "{error}");
    assert_eq!(http.seen().len(), 1);
}

/// Waits that are over at once, unless they are longer than this.
#[derive(Debug)]
struct NoLongerThan(Duration);

impl Timer for NoLongerThan {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match duration <= self.0 {
            true => Box::pin(std::future::ready(())),
            false => Box::pin(std::future::pending()),
        }
    }
}

fn client_with(timer: NoLongerThan, http: &Arc<FakeHttp>) -> WorkspaceClient {
    client_on(&Runtime { timer: Arc::new(timer), ..runtime(http) }, PAT)
}

#[test]
fn lists_that_do_not_answer_are_given_up_after_ten_seconds() {
    let http = FakeHttp::new(|_| None);
    let client = client_with(NoLongerThan(Duration::from_secs(10)), &http);
    let error = fails(&client, "a.example", ErrorKind::TimedOut);
    assert!(error.to_string().contains("searching for the endpoint of a.example"), "{error}");
    assert!(error.report().contains("took longer than 10s"), "{}", error.report());
}

#[test]
fn a_list_without_an_end_is_an_error() {
    let (client, http) = scripted(PAT, |_| reply(200, list("projects", &[], "again")));
    let error = fails(&client, "a.example", ErrorKind::Protocol);
    assert!(error.report().contains("`next_page_token` repeats"), "{}", error.report());
    assert_eq!(http.seen().len(), 2);
}

#[test]
fn at_most_eight_requests_are_under_way() {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let projects: Vec<String> = (0..50).map(|number| format!("projects/p{number}")).collect();
    let http = FakeHttp::new(move |seen| {
        if seen.path().ends_with("/projects") {
            let names: Vec<&str> = projects.iter().map(String::as_str).collect();
            return reply(200, list("projects", &names, ""));
        }
        // None of these is ever answered.
        SENT.fetch_add(1, Ordering::SeqCst);
        None
    });
    let client = client_with(NoLongerThan(Duration::ZERO), &http);
    let target = Target::Host("a.example".into());
    assert!(client.resolve(&target, Access::ReadWrite).now_or_never().is_none());
    assert_eq!(SENT.load(Ordering::SeqCst), 8);
}

#[test]
fn an_instance_costs_one_request() {
    let instance = r#"{"name":"shop","state":"AVAILABLE","read_write_dns":"instance-u-1.example","read_only_dns":"instance-ro-u-1.example"}"#;
    let (client, http) = scripted(PAT, move |seen| match seen.path().ends_with("findByUid") {
        true => reply(200, instance),
        false => workspace(seen),
    });
    for name in ["instance-u-1.example", "instance-ro-u-1.example"] {
        assert_eq!(search(&client, name).unwrap().name.id(), "shop");
    }
    let uri = "GET https://w.example/api/2.0/database/instances:findByUid?uid=u-1";
    assert_eq!(http.lines(), [uri, uri]);
    // A host that only looks like it is another's.
    fails(&client, "instance-u-1.evil.example", ErrorKind::NotFound);
}
