//! Why a first packet is refused, in PostgreSQL's words where it has any.

use std::fmt;

use super::{CANCEL_KEY, MAX_LENGTH};

/// Why a first packet is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartupError {
    /// The length is below 8 or above [`MAX_LENGTH`].
    Length(u32),
    /// The client went away after so many bytes of a packet.
    Incomplete(usize),
    /// The key of a `CancelRequest` has an impossible length.
    CancelKey(usize),
    /// TLS began at once and without the ALPN protocol `postgresql`.
    Alpn,
    /// More came before a request for encryption was refused; the name of what was asked for.
    Early(&'static str),
    /// Names and values do not end where they should.
    Layout,
    /// The major version is not 3.
    Version(u32),
    /// No user is named.
    User,
}

impl StartupError {
    /// The SQLSTATE that PostgreSQL reports for it.
    #[must_use]
    pub fn sqlstate(self) -> &'static str {
        match self {
            // feature_not_supported
            Self::Version(_) => "0A000",
            // invalid_authorization_specification
            Self::User => "28000",
            // protocol_violation
            _ => "08P01",
        }
    }

    /// Whether PostgreSQL tells the client. Otherwise it closes the connection without a word, because the client
    /// speaks another protocol or does not listen any more.
    #[must_use]
    pub fn is_answered(self) -> bool {
        match self {
            Self::Length(_) | Self::Incomplete(_) | Self::CancelKey(_) | Self::Alpn => false,
            Self::Early(_) | Self::Layout | Self::Version(_) | Self::User => true,
        }
    }

    /// More about it, as PostgreSQL says it.
    #[must_use]
    pub fn detail(self) -> Option<&'static str> {
        matches!(self, Self::Early(_)).then_some(
            "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
        )
    }
}

impl fmt::Display for StartupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => {
                write!(
                    f,
                    "invalid length of startup packet: {length} bytes; accepted: 8 to {MAX_LENGTH}"
                )?;
                match length.to_be_bytes() {
                    // A number, if a wrong one.
                    [0, ..] => Ok(()),
                    first => {
                        write!(f, " (it began with '{}'{})", first.escape_ascii(), sounds_like(first))
                    }
                }
            }
            Self::Incomplete(count) => {
                write!(f, "incomplete startup packet: the client went away after {count} bytes of it")
            }
            Self::CancelKey(length) => write!(
                f,
                "invalid length of cancel key: {length} bytes; accepted: {} to {}",
                CANCEL_KEY.start(),
                CANCEL_KEY.end()
            ),
            Self::Alpn => f.write_str(
                "received direct SSL connection request without ALPN protocol negotiation extension",
            ),
            Self::Early(what) => write!(f, "received unencrypted data after {what} request"),
            Self::Layout => f.write_str(
                "invalid startup packet layout: expected terminator as last byte",
            ),
            Self::Version(version) => {
                let (major, minor) = (version >> 16, version & 0xffff);
                write!(
                    f,
                    "unsupported frontend protocol {major}.{minor}: server supports 3.0 and its newer minor versions"
                )
            }
            Self::User => f.write_str("no PostgreSQL user name specified in startup packet"),
        }
    }
}

impl std::error::Error for StartupError {}

/// Names the protocol that begins with these four bytes, for people who read logs.
fn sounds_like(first: [u8; 4]) -> &'static str {
    match &first {
        b"GET " | b"HEAD" | b"POST" | b"PUT " | b"DELE" | b"OPTI" | b"PATC" | b"CONN" | b"TRAC"
        | b"PRI " => ", as HTTP does",
        [super::TLS_HANDSHAKE, 3, ..] => ", as TLS does, which is not offered here",
        b"SSH-" => ", as SSH does",
        b"PROX" | b"\r\n\r\n" => ", as the PROXY protocol of load balancers does",
        [kind, 0, 0, _] if kind.is_ascii_alphabetic() => {
            ", as a message does that has no place before a startup packet"
        }
        _ => "",
    }
}
