//! The meaning of replies, and the form of requests.

use super::*;

const WALL: Timestamp = Timestamp::from_unix_millis(784_111_777_000);

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, body: body.as_bytes().to_vec(), ..Reply::default() }
}

fn error(reply: &Reply) -> Error {
    read(&"w.example".parse().unwrap(), reply, WALL, &["s3cret-value"]).err().unwrap()
}

#[test]
fn basic_encodes_any_secret() {
    assert_eq!(basic("id:1", &Secret::new("sé c")).expose(), "Basic aWQlM0ExOnMlQzMlQTklMjBj");
    for (text, encoded) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
    {
        let mut out = String::new();
        base64(&mut out, text.as_bytes());
        assert_eq!(out, encoded);
    }
}

#[test]
fn statuses_and_codes_become_kinds() {
    for (status, body, expected) in [
        (401, "", ErrorKind::Unauthenticated),
        (400, r#"{"error":"invalid_client"}"#, ErrorKind::Unauthenticated),
        (
            400,
            r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"x"}"#,
            ErrorKind::InvalidRequest,
        ),
        (403, "<html>", ErrorKind::PermissionDenied),
        (403, r#"{"error_code":"REQUEST_LIMIT_EXCEEDED"}"#, ErrorKind::Throttled),
        (404, "{}", ErrorKind::NotFound),
        (429, "", ErrorKind::Throttled),
        (500, "oops", ErrorKind::Unavailable),
        (501, "", ErrorKind::InvalidRequest),
        (503, "", ErrorKind::Unavailable),
        (302, "", ErrorKind::Protocol),
        (200, "<html>", ErrorKind::Protocol),
        (200, "[]", ErrorKind::Protocol),
        (0, "", ErrorKind::Protocol),
    ] {
        let error = error(&reply(status, body));
        assert_eq!(error.kind(), expected, "{status} {body}: {error}");
    }
}

#[test]
fn messages_are_quoted_without_secrets() {
    let body =
        r#"{"error_code":"X_1","message":"bad s3cret-value\n and eyJhbGciOi.abc for projects/p"}"#;
    assert_eq!(
        error(&reply(400, body)).to_string(),
        "https://w.example answered 400 X_1: bad [redacted] and [redacted] for projects/p"
    );
    let long = format!(r#"{{"message":"{}"}}"#, "é ".repeat(500));
    assert!(error(&reply(400, &long)).to_string().chars().count() < 350);
    let html = error(&reply(500, "<b>s3cret-value</b>"));
    assert_eq!(html.to_string(), "https://w.example answered 500");
}

#[test]
fn waits_are_seconds_or_dates() {
    for (text, seconds) in [
        ("7", Some(7)),
        ("99999999999999999999", Some(3600)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
        ("soon", None),
        ("", None),
        ("-1", None),
    ] {
        let reply = Reply { retry_after: Some(text.to_owned()), ..reply(429, "") };
        assert_eq!(error(&reply).retry_after(), seconds.map(Duration::from_secs), "{text}");
    }
    let date = Reply { date: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()), ..reply(200, "{}") };
    assert_eq!(served_at(&date), Some(WALL));
}
