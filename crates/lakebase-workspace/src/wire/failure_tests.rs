//! Tests of the error replies: every form of body, what it means, and that nothing secret is quoted.

use proptest::prelude::*;

use super::*;

fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Response<Bytes> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Bytes::copy_from_slice(body)).unwrap()
}

fn judge(reply: &Response<Bytes>) -> Error {
    let host: crate::WorkspaceHost = "w.example".parse().unwrap();
    failure(&host, reply, Timestamp::from_unix_millis(0), &[Secret::new("hunter22")])
}

#[test]
fn every_form_of_body_is_read() {
    use ErrorKind::*;
    let check = |status, body: &str, kind, said: &str| {
        let error = judge(&reply(status, &[], body.as_bytes()));
        let words = format!("https://w.example answered {status} {said}");
        assert_eq!(error.to_string(), words, "{body}");
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert_eq!(error.status(), Some(status));
    };
    for (status, body, kind, said) in [
        (
            404,
            r#"{"error_code":"NOT_FOUND","message":"branch id not found [TraceId: 1]","details":[{}]}"#,
            NotFound,
            "NOT_FOUND: branch id not found [TraceId: 1]",
        ),
        (
            403,
            r#"{"error_code":403,"message":"Source IP address 1.2.3.4 is blocked by Databricks IP ACL for workspace 7"}"#,
            PermissionDenied,
            "403: Source IP address 1.2.3.4 is blocked by Databricks IP ACL for workspace 7",
        ),
        (400, r#"{"error":"invalid_client"}"#, Unauthenticated, "invalid_client (no message)"),
        (
            400,
            r#"{"error":"something old went wrong"}"#,
            InvalidRequest,
            "Bad Request: something old went wrong",
        ),
        (
            404,
            r#"{"schemas":["x"],"detail":"User not found","status":"404","scimType":"noTarget"}"#,
            NotFound,
            "noTarget: User not found",
        ),
        (409, r#"{"detail":"twice","status":409}"#, InvalidRequest, "Conflict: twice"),
        (
            503,
            "TEMPORARILY_UNAVAILABLE: try again",
            Unavailable,
            "TEMPORARILY_UNAVAILABLE: try again",
        ),
        (400, "ABORTED: again", Unavailable, "ABORTED: again"),
        (500, "Some text: with hunter22", Unavailable, "Internal Server Error (unreadable body)"),
        (502, "<html><title>hunter22</title>", Unavailable, "Bad Gateway (HTML body)"),
        (429, "", Throttled, "Too Many Requests (empty body)"),
        (401, "[1]", Unauthenticated, "Unauthorized (unreadable body)"),
        (403, "{}", PermissionDenied, "Forbidden (no message)"),
        (
            403,
            r#"{"error_code":{"hunter22":1},"message":["hunter22"]}"#,
            PermissionDenied,
            "Forbidden (no message)",
        ),
        (400, r#"{"error_code":"not a code","message":"x"}"#, InvalidRequest, "Bad Request: x"),
        (599, "\u{fffd}", Unavailable, "(unreadable body)"),
    ] {
        check(status, body, kind, said);
    }
    const API: [&str; 2] = ["error_code", "message"];
    const SUMMARY: [&str; 2] = ["errorCode", "errorSummary"];
    const OAUTH: [&str; 2] = ["error", "error_description"];
    for (status, [code, message], values, kind) in [
        (400, API, ["INVALID_PARAMETER_VALUE", "Field 'endpoint' is required"], InvalidRequest),
        (400, API, ["RESOURCE_DOES_NOT_EXIST", "x"], NotFound),
        (403, API, ["REQUEST_LIMIT_EXCEEDED", "slow"], Throttled),
        (401, OAUTH, ["invalid_client", "Client authentication failed"], Unauthenticated),
        (400, OAUTH, ["invalid_scope", "no"], InvalidRequest),
        (403, SUMMARY, ["E0000006", "You do not have permission"], PermissionDenied),
    ] {
        let body = format!(r#"{{"{code}":"{}","{message}":"{}"}}"#, values[0], values[1]);
        check(status, &body, kind, &values.join(": "));
    }
}

#[test]
fn redirects_are_explained_and_not_followed() {
    let login = "/login.html?error=private-link-validation-error&next=hunter22";
    let error = judge(&reply(303, &[("location", login)], b""));
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let said = "https://w.example accepts connections through its private link only; connect from its network";
    assert_eq!(error.to_string(), said);
    let error = judge(&reply(302, &[("location", "https://other.example/hunter22")], b""));
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let said = "https://w.example answered 302 with a redirect, which is not followed; is the address that of a Databricks workspace?";
    assert_eq!(error.to_string(), said);
}

#[test]
fn retry_after_is_a_number_of_seconds_or_a_date() {
    let date = "Thu, 01 Jan 1970 00:01:00 GMT";
    for (headers, expected) in [
        (vec![("retry-after", "7")], Some(7)),
        (vec![("retry-after", " 0 ")], Some(0)),
        (vec![("retry-after", "99999999999999999999999")], Some(3600)),
        (vec![("retry-after", date)], Some(60)),
        (vec![("retry-after", date), ("date", "Thu, 01 Jan 1970 00:00:58 GMT")], Some(2)),
        (vec![("retry-after", date), ("date", "Fri, 02 Jan 1970 00:00:00 GMT")], Some(0)),
        (vec![("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], Some(3600)),
        (vec![("retry-after", "-1")], None),
        (vec![("retry-after", "soon")], None),
        (vec![("retry-after", "")], None),
        (vec![], None),
    ] {
        let error = judge(&reply(429, &headers, b""));
        assert_eq!(error.retry_after(), expected.map(Duration::from_secs), "{headers:?}");
    }
}

#[test]
fn secrets_are_not_echoed() {
    let body = r#"{"error_code":"hunter22","message":"got hunter22 and eyJhbGciOiJub25lIn0.e30.x\n and dapi0123456789"}"#;
    let error = judge(&reply(400, &[], body.as_bytes()));
    let said =
        "https://w.example answered 400 [redacted]: got [redacted] and [redacted] and [redacted]";
    assert_eq!(error.to_string(), said);
}

proptest! {
    #[test]
    fn no_reply_panics_or_echoes_a_secret(
        status in 300u16..600,
        retry in "(-?[0-9]{0,25}|[A-Za-z, :0-9]{0,30})",
        before in "(\\{\"message\":\"|\\{\"error\":\"|CODE: |<|\\PC{0,9})",
        after in "(\"\\}|\\PC{0,9})",
    ) {
        let body = format!("{before}x hunter22 y{after}");
        let error = judge(&reply(status, &[("retry-after", &retry)], body.as_bytes()));
        let printed = format!("{error:?}");
        prop_assert!(!printed.contains("hunter22"));
        prop_assert!(error.retry_after().is_none_or(|delay| delay <= MAX_RETRY_AFTER));
        prop_assert_eq!(error.status(), Some(status));
    }
}
