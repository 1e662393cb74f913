//! Replies of a workspace. The first byte of the input says what was asked for; in error replies the first
//! line of the rest is `Retry-After`.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lakebase_core::{Error, Result, Secret, Timestamp};
use lakebase_workspace::wire;

use crate::{CANARY, assert_hidden};

/// Reads one reply.
pub fn run(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    let now = Timestamp::from_unix_millis(1_767_225_600_000);
    match kind {
        b'p' => judge(wire::endpoint_page(body).map(|page| {
            assert_ne!(page.next_page_token.as_deref(), Some(""));
            page.items.len()
        })),
        b'e' => judge(wire::endpoint(body).map(|endpoint| {
            let hosts = endpoint.hosts;
            assert!(hosts.host.is_none_or(|host| !host.is_empty() && !host.contains('/')));
        })),
        b'c' => judge(wire::credential(body, Some(now))),
        b't' => judge(wire::oauth_token(body, now, None)),
        b'u' => judge(wire::user_name(body).map(|name| assert!(!name.is_empty()))),
        b'o' => judge(wire::oidc_endpoint(body, None).map(|_| ())),
        b'm' => judge(wire::token_endpoint(body).map(|_| ())),
        b'l' => {
            if let Ok(text) = std::str::from_utf8(body) {
                judge(wire::cli_token(&Secret::new(text)));
            }
        }
        b'j' => {
            wire::oidc_audience(body, Some("account"));
            if let Ok(text) = std::str::from_utf8(body) {
                wire::jwt_expiry(&Secret::new(text));
            }
        }
        _ => failure(*kind, body, now),
    }
}

/// A value's and an error's `Debug` hides the tokens.
fn judge<T: Debug>(result: Result<T>) {
    assert_hidden(&format!("{result:?}"));
}

fn failure(kind: u8, body: &[u8], now: Timestamp) {
    let status = 300 + u16::from(kind);
    let line = body.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (retry_after, body) = body.split_at(line);
    let mut reply = Response::new(Bytes::copy_from_slice(body));
    *reply.status_mut() = status.try_into().expect("300 to 555 are statuses");
    if let Ok(value) = retry_after.try_into() {
        reply.headers_mut().insert("retry-after", value);
    }
    let host: lakebase_workspace::WorkspaceHost = "w.example".parse().expect("is an address");
    let error: Error = wire::failure(&host, &reply, now, &[Secret::new(CANARY)]);
    assert_hidden(&format!("{error:?}"));
    let message = error.to_string();
    assert!(message.chars().count() < 500, "{message}");
    assert!(!message.chars().any(char::is_control), "{message:?}");
    assert!(error.retry_after().is_none_or(|delay| delay <= Duration::from_secs(3600)));
}
