//! The first packets of a client, without I/O.
//!
//! Source: PostgreSQL's documentation, "Message Formats", and `ProcessSSLStartup`, `ProcessStartupPacket` and
//! `ProcessCancelRequestPacket` in `src/backend/tcop/backend_startup.c` (PostgreSQL 18; the same functions of PostgreSQL 15 are in
//! `postmaster.c`). What PostgreSQL reports as `COMMERROR` goes to its log, and the client gets no answer
//! ([`StartupError::is_answered`]):
//!
//! | the client | PostgreSQL |
//! | --- | --- |
//! | says nothing and goes, also after the answer to a request for encryption | closes, logs nothing |
//! | names a length below 8 or above 10 004: HTTP, TLS where none is offered, `Terminate` before hello | closes, logs it |
//! | goes in the middle of a packet | closes, logs it |
//! | sends a cancel key of an impossible length | closes, logs it |
//! | begins with TLS without the ALPN protocol `postgresql` | closes, logs it |
//! | goes on talking before its request for encryption is refused | 08P01 |
//! | asks for an encryption twice, or names a major version other than 3 | 0A000; the old form of an error for versions below 3 |
//! | ends its parameters anywhere but at the last byte of the packet | 08P01 |
//! | names no user | 28000 |

mod error;

use std::fmt;

pub use error::StartupError;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The longest first packet, its length included. PostgreSQL's `MAX_STARTUP_PACKET_LENGTH` does not include it.
pub const MAX_LENGTH: usize = 10_004;

/// The first byte of a TLS handshake. No length of a valid first packet begins with it.
pub const TLS_HANDSHAKE: u8 = 0x16;

/// A whole `SSLRequest`.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

const CANCEL: u32 = 80_877_102;
/// The code of `SSLRequest`, which stands where a version does.
pub const TLS: u32 = 80_877_103;
/// The code of `GSSENCRequest`, which stands where a version does.
pub const GSS: u32 = 80_877_104;

/// Bytes of a backend's process id.
const PROCESS_ID: usize = 4;
/// Process id and secret of a backend. The secret has 4 bytes in protocol 3.0 and up to 256 since 3.2.
const CANCEL_KEY: std::ops::RangeInclusive<usize> = 8..=260;

/// A client's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstPacket {
    /// `StartupMessage`: a session is wanted.
    Startup(Startup),
    /// `SSLRequest`: TLS is wanted before anything else.
    Tls,
    /// `GSSENCRequest`: encryption by GSSAPI is wanted before anything else.
    Gss,
    /// `CancelRequest`: another connection's statement is to be cancelled.
    Cancel(CancelKey),
}

/// The version, 3.*minor*, of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProtocolVersion {
    /// 0 for all clients before PostgreSQL 18, 2 for those that ask for long cancel keys.
    pub minor: u16,
}

/// A `StartupMessage`: version and parameters, in the client's order.
///
/// Names and values are bytes: their encoding is not known before the session is open.
#[derive(Clone, PartialEq, Eq)]
pub struct Startup {
    version: ProtocolVersion,
    parameters: Parameters,
}

/// Names and values.
type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

/// The key of a backend in a `CancelRequest`. `Debug` shows none of it, because a client that knows it may cancel.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CancelKey(Box<[u8]>);

impl FirstPacket {
    /// The length of what follows `header`, the packet's first four bytes.
    ///
    /// # Errors
    ///
    /// [`StartupError::Length`].
    pub fn body_length(header: [u8; 4]) -> Result<usize, StartupError> {
        let length = u32::from_be_bytes(header);
        match usize::try_from(length) {
            Ok(known @ 8..=MAX_LENGTH) => Ok(known - 4),
            _ => Err(StartupError::Length(length)),
        }
    }

    /// Reads what follows the length. Whether a user is named is not looked at.
    ///
    /// # Errors
    ///
    /// [`StartupError::Layout`], [`StartupError::Version`] or [`StartupError::CancelKey`]; [`StartupError::Length`] for less than four
    /// bytes.
    pub fn parse(body: &[u8]) -> Result<Self, StartupError> {
        let length = || StartupError::Length(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
        let (code, rest) = body.split_first_chunk::<4>().ok_or_else(length)?;
        match u32::from_be_bytes(*code) {
            // The rest of the packet is ignored.
            TLS => Ok(Self::Tls),
            GSS => Ok(Self::Gss),
            CANCEL => CancelKey::new(rest).map(Self::Cancel),
            version if version >> 16 == 3 => {
                let [_, _, high, low] = *code;
                let version = ProtocolVersion { minor: u16::from_be_bytes([high, low]) };
                Ok(Self::Startup(Startup { version, parameters: parameters(rest)? }))
            }
            version => Err(StartupError::Version(version)),
        }
    }
}

/// PostgreSQL wants the end at the last byte of the packet and does not look at that byte.
fn parameters(mut rest: &[u8]) -> Result<Parameters, StartupError> {
    let mut found = Vec::new();
    while rest.len() != 1 {
        let (name, after) = text(rest)?;
        if name.is_empty() {
            return Err(StartupError::Layout);
        }
        let (value, after) = text(after)?;
        found.push((name.to_vec(), value.to_vec()));
        rest = after;
    }
    Ok(found)
}

/// Splits at the first zero byte.
fn text(bytes: &[u8]) -> Result<(&[u8], &[u8]), StartupError> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(StartupError::Layout)?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

impl Startup {
    /// A message of protocol 3.0 without parameters.
    #[must_use]
    pub fn new() -> Self {
        Self { version: ProtocolVersion { minor: 0 }, parameters: Vec::new() }
    }

    /// The version that the client asks for.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The value of `name`; the last one counts, as in PostgreSQL.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let mut known = self.parameters.iter().rev();
        known.find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Sets `name` to `value`, in the place of all values that it had. Bytes after a NUL are left out.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.parameters.retain(|(key, _)| key != name.as_bytes());
        let value = value.as_ref().split(|byte| *byte == 0).next().unwrap_or_default();
        self.parameters.push((name.into(), value.to_vec()));
    }

    /// Leaves `name` out; its value, if it had one.
    pub fn remove(&mut self, name: &str) -> Option<Vec<u8>> {
        let value = self.get(name).map(<[u8]>::to_vec);
        self.parameters.retain(|(key, _)| key != name.as_bytes());
        value
    }

    /// The packet with its length.
    ///
    /// # Errors
    ///
    /// [`StartupError::Length`] if it is longer than a server accepts.
    pub fn encode(&self) -> Result<Vec<u8>, StartupError> {
        let mut packet = vec![0; 4];
        packet.extend(3_u16.to_be_bytes());
        packet.extend(self.version.minor.to_be_bytes());
        for text in self.parameters.iter().flat_map(|(name, value)| [name, value]) {
            packet.extend(text);
            packet.push(0);
        }
        packet.push(0);
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        if packet.len() > MAX_LENGTH {
            return Err(StartupError::Length(length));
        }
        packet[..4].copy_from_slice(&length.to_be_bytes());
        Ok(packet)
    }
}

impl Default for Startup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Startup {
    /// Values may hold anything, so only names are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.parameters.iter().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_struct("Startup")
            .field("version", &self.version)
            .field("parameters", &names.collect::<Vec<_>>())
            .finish()
    }
}

impl CancelKey {
    /// The content of a `BackendKeyData`, or of a `CancelRequest` after its code.
    ///
    /// # Errors
    ///
    /// [`StartupError::CancelKey`] unless it has 8 to 260 bytes.
    pub fn new(key: &[u8]) -> Result<Self, StartupError> {
        if CANCEL_KEY.contains(&key.len()) {
            Ok(Self(key.into()))
        } else {
            Err(StartupError::CancelKey(key.len()))
        }
    }

    /// The same process id with a new secret of the same length; `None` if the system has no random numbers.
    pub(crate) fn with_other_secret(&self) -> Option<Self> {
        let mut key = self.0.clone();
        SystemRandom::new().fill(key.get_mut(PROCESS_ID..)?).ok()?;
        Some(Self(key))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The `CancelRequest` with its length.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() + 8).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &CANCEL.to_be_bytes(), &self.0].concat()
    }
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CancelKey(..)")
    }
}

#[cfg(test)]
mod tests;
