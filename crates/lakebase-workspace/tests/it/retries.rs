//! Which failures are tried again, how long, and when that ends.

use std::sync::Arc;
use std::time::Duration;

use lakebase_core::{CredentialRequest, CredentialSource, Error, ErrorKind, Result};
use lakebase_workspace::Retry;

use crate::support::*;

const USER: &str = r#"{"userName":"me"}"#;

fn after_two(
    first: impl Fn() -> Option<Answer> + Send + Sync + 'static,
) -> (usize, Result<Arc<str>>, Duration) {
    let (client, http) =
        scripted(PAT, move |seen| if seen.number < 2 { first() } else { reply(200, USER) });
    let result = run(client.current_user());
    (http.seen().len(), result, http.time.elapsed())
}

#[test]
fn what_usually_passes_is_tried_again() {
    for status in [429, 502, 503, 504] {
        let (requests, result, _) = after_two(move || reply(status, "<html>"));
        assert!(result.is_ok(), "{status}");
        assert_eq!(requests, 3);
    }
    let (requests, result, _) =
        after_two(|| Some(Err(Error::new(ErrorKind::Unavailable, "connection refused"))));
    assert_eq!((requests, result.is_ok()), (3, true));
    let (requests, result, elapsed) = after_two(|| None);
    assert_eq!((requests, result.is_ok()), (3, true));
    assert!(elapsed >= Duration::from_secs(120), "{elapsed:?}");
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    for status in [400, 403, 404, 409, 500, 501] {
        let (requests, result, _) = after_two(move || reply(status, "{}"));
        assert_eq!(result.unwrap_err().status(), Some(status));
        assert_eq!(requests, 1, "{status}");
    }
    let (requests, result, _) = after_two(|| Some(Err(Error::new(ErrorKind::Tls, "not trusted"))));
    assert_eq!((requests, result.unwrap_err().kind()), (1, ErrorKind::Tls));
}

#[test]
fn the_services_wish_is_the_shortest_wait() {
    let (_, result, elapsed) = after_two(|| reply_with(503, &[("retry-after", "40")], ""));
    assert!(result.is_ok());
    assert!((80..84).contains(&elapsed.as_secs()), "{elapsed:?}");
    let headers = &[
        ("retry-after", "Thu, 01 Jan 2026 12:00:40 GMT"),
        ("date", "Thu, 01 Jan 2026 12:00:00 GMT"),
    ];
    let (_, result, elapsed) = after_two(|| reply_with(429, headers, ""));
    assert!(result.is_ok());
    assert!((80..84).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[test]
fn attempts_end_with_the_deadline() {
    let (client, http) =
        scripted(PAT, |_| reply(503, r#"{"error_code":"TEMPORARILY_UNAVAILABLE"}"#));
    let error = run(client.current_user()).unwrap_err();
    let report = error.report();
    assert!(
        report.starts_with("asking the workspace for the current user: gave up after "),
        "{report}"
    );
    assert!(
        report.ends_with("https://w.example answered 503 TEMPORARILY_UNAVAILABLE (no message)"),
        "{report}"
    );
    assert_eq!(error.status(), Some(503));
    assert!(http.time.elapsed() <= Duration::from_secs(300));
    assert!(http.seen().len() > 20);
    let (client, http) = scripted(PAT, |_| reply_with(503, &[("retry-after", "301")], ""));
    let error = run(client.current_user()).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(301)));
    assert_eq!(http.seen().len(), 1);
}

#[test]
fn the_policy_is_the_callers() {
    let (client, http) = scripted(PAT, |_| reply(503, ""));
    let three = Retry { attempts: 3, ..Retry::default() };
    run(client.clone().with_retry(three).current_user()).unwrap_err();
    assert_eq!(http.seen().len(), 3);
    let request = CredentialRequest::new("projects/p/branches/b/endpoints/e".parse().unwrap());
    run(CredentialSource::fetch(&client, &request)).unwrap_err();
    assert_eq!(http.seen().len(), 4, "a source makes one attempt");
}

#[test]
fn a_time_out_names_the_host() {
    let (client, _) = scripted(PAT, |_| None);
    let client = client.with_retry(Retry::NONE);
    let error = run(client.current_user()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.report().ends_with("https://w.example did not answer within 60 s"));
}
