//! What is sent, byte by byte, and what becomes of every answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use lakebase_core::{Secret, Setting};
use proptest::prelude::*;

use super::*;
use crate::proxies::ProxyProblem;

/// A proxy that has its answers ready, handed out in pieces of `piece` bytes; it closes after them.
struct Scripted {
    answers: Vec<u8>,
    read: usize,
    piece: usize,
    sent: Vec<u8>,
}

impl Scripted {
    fn new(answers: &[u8]) -> Self {
        Self { answers: answers.to_vec(), read: 0, piece: usize::MAX, sent: Vec::new() }
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let rest = &self.answers[self.read..];
        let count = rest.len().min(buffer.len()).min(self.piece);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.sent.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn proxy(user: &str) -> Proxy {
    let url = Secret::new(format!("socks5h://{user}proxy.example"));
    Proxy::read(&Setting::explicit("postgres_proxy", url)).unwrap()
}

fn open(user: &str, to: Destination<'_>, stream: &mut Scripted) -> Result<(), ProxyError> {
    let proxy = proxy(user);
    let work = async {
        greet(stream, &proxy).await?;
        connect(stream, to, 0x1538).await
    };
    work.now_or_never().expect("everything is there")
}

const DB: Destination<'static> = Destination::Name("db");

#[test]
fn the_messages_are_those_of_the_rfcs() {
    let v6 = Destination::Address("2001:db8::1".parse().unwrap());
    for (user, to, answers, sent) in [
        (
            "",
            DB,
            &b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"[..],
            &b"\x05\x01\x00\x05\x01\x00\x03\x02db\x15\x38"[..],
        ),
        (
            "me:p%20w@",
            Destination::Address("10.1.2.3".parse().unwrap()),
            b"\x05\x02\x01\x00\x05\x00\x00\x03\x01p\x04\x38",
            b"\x05\x02\x00\x02\x01\x02me\x03p w\x05\x01\x00\x01\x0a\x01\x02\x03\x15\x38",
        ),
        // Who may come in without a password does.
        (
            "me@",
            v6,
            b"\x05\x00\x05\x00\x00\x04AAAABBBBCCCCDDDD\x04\x38",
            b"\x05\x02\x00\x02\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x15\x38",
        ),
    ] {
        let mut stream = Scripted::new(&[answers, b"greeting of the server"].concat());
        open(user, to, &mut stream).unwrap();
        assert_eq!(stream.sent, sent, "{to:?}");
        assert_eq!(stream.read, answers.len(), "what follows is the server's");
    }
}

#[test]
fn each_refusal_says_what_it_means() {
    use ErrorKind::{Config, PermissionDenied, Unavailable, Unsupported};
    let reply = |code: u8| vec![5, 0, 5, code, 0, 1];
    for (user, answers, kind, words) in [
        ("", reply(1), Unavailable, "answered 1: general failure"),
        ("", reply(2), PermissionDenied, "answered 2: its rules do not allow"),
        ("", reply(3), Unavailable, "answered 3: network unreachable"),
        ("", reply(4), Unavailable, "answered 4: host unreachable"),
        ("", reply(5), Unavailable, "answered 5: connection refused"),
        ("", reply(6), Unavailable, "answered 6: time to live expired"),
        ("", reply(7), Unsupported, "answered 7: it does not know the command CONNECT"),
        ("", reply(8), Unsupported, "answered 8: it does not know this type of address"),
        ("", reply(9), Unavailable, "answered 9: which has no meaning"),
        (
            "",
            vec![5, 0xff],
            Config,
            "it wants a user and a password: put them into its URL, socks5h://",
        ),
        ("u:canary@", vec![5, 0xff], Unsupported, "another proof than a user and a password"),
        ("u:canary@", vec![5, 2, 1, 1], Config, "does not accept the user and password"),
        ("u:canary@", vec![5, 2, 5, 0, 5, 0, 0, 9], Unavailable, "as a SOCKS 5 proxy does"),
        ("", vec![5, 2], Unavailable, "as a SOCKS 5 proxy does"),
        ("", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Unavailable, "as a SOCKS 5 proxy does"),
        ("", vec![0, 91], Unavailable, "as a SOCKS 5 proxy does"),
        ("", vec![5], Unavailable, "as a SOCKS 5 proxy does"),
        ("", vec![], Unavailable, "as a SOCKS 5 proxy does"),
        ("", vec![5, 0, 4, 0, 0, 1, 0, 0, 0, 0, 0, 0], Unavailable, "as a SOCKS 5 proxy does"),
        ("", vec![5, 0, 5, 0, 0, 3, 200, 1], Unavailable, "as a SOCKS 5 proxy does"),
    ] {
        let error = open(user, DB, &mut Scripted::new(&answers)).unwrap_err();
        assert_eq!(error.kind(), kind, "{answers:?}: {error}");
        assert!(error.to_string().contains(words), "{answers:?}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn what_the_protocol_cannot_say_is_not_sent() {
    let long = "x".repeat(256);
    let fits = "x".repeat(255);
    let ok = b"\x05\x02\x01\x00\x05\x00\x00\x01\0\0\0\0\0\0";
    open(&format!("{fits}:{fits}@"), Destination::Name(&fits), &mut Scripted::new(ok)).unwrap();
    for (user, to) in
        [(format!("{long}:p@"), "db"), (format!("u:{long}@"), "db"), ("u:p@".to_owned(), &*long)]
    {
        let mut stream = Scripted::new(ok);
        let error = open(&user, Destination::Name(to), &mut stream).unwrap_err();
        assert_eq!((error.kind(), error.problem()), (ErrorKind::Config, ProxyProblem::Refused));
        assert!(error.to_string().contains("255 bytes"), "{error}");
        assert!(!format!("{error:?}").contains("xxxxx") && stream.sent.len() < 300);
    }
}

/// How many bytes of `answers` make a whole agreement; `None` if they do not.
fn agreed(answers: &[u8], has_user: bool) -> Option<usize> {
    let rest = match answers {
        [5, 0, rest @ ..] => rest,
        [5, 2, _, 0, rest @ ..] if has_user => rest,
        _ => return None,
    };
    let (head, address) = match rest {
        [5, 0, _, 1, ..] => (4, 4),
        [5, 0, _, 4, ..] => (4, 16),
        [5, 0, _, 3, length, ..] => (5, usize::from(*length)),
        _ => return None,
    };
    let end = answers.len() - rest.len() + head + address + 2;
    (end <= answers.len()).then_some(end)
}

/// Bytes that are often what a proxy could say.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => 0..6_u8, 1 => any::<u8>()];
    let method = prop_oneof![
        Just(vec![5, 0]),
        Just(vec![5, 2, 1, 0]),
        prop::collection::vec(byte.clone(), 0..4)
    ];
    let reply =
        prop_oneof![2 => Just(vec![5, 0, 0]), 1 => prop::collection::vec(byte.clone(), 0..4)];
    (method, reply, prop::collection::vec(byte, 0..300))
        .prop_map(|(method, reply, rest)| [method, reply, rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whatever a proxy says, in whatever pieces: the way is open exactly if it said so, nothing behind its answers
    /// is read, and no error shows the password.
    #[test]
    fn any_answer_is_either_an_agreement_or_an_error(
        answers in answers(),
        piece in 1..8_usize,
        has_user in any::<bool>(),
    ) {
        let mut stream = Scripted { piece, ..Scripted::new(&answers) };
        let user = if has_user { "u:canary-canary@" } else { "" };
        match (open(user, DB, &mut stream), agreed(&answers, has_user)) {
            (Ok(()), Some(end)) => prop_assert_eq!(stream.read, end),
            (Err(error), None) => {
                let text = format!("{error} {error:?}");
                prop_assert!(!text.contains("canary"), "{}", text);
            }
            (outcome, expected) => {
                prop_assert!(false, "{:?} {:?}", outcome.map_err(|error| error.to_string()), expected);
            }
        }
    }
}
