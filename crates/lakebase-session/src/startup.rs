//! What a client may send first, without I/O.
//!
//! Source: PostgreSQL's documentation, "Message Formats", and `ProcessStartupPacket` in
//! `src/backend/tcop/backend_startup.c`.

use std::fmt;

/// The longest first packet, its length included: PostgreSQL's `MAX_STARTUP_PACKET_LENGTH`.
pub const MAX_LENGTH: usize = 10_000;

/// The first byte of a TLS handshake. No length of a valid first packet begins with it.
pub const TLS_HANDSHAKE: u8 = 0x16;

/// A whole `SSLRequest`.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

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
/// Names and values are bytes: their encoding is not known before the session stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Startup {
    version: ProtocolVersion,
    parameters: Parameters,
}

/// Names and values.
type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

/// What names a backend in a `CancelRequest`. `Debug` shows none of it, because whoever knows it may cancel.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CancelKey(Box<[u8]>);

/// Why a first packet is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartupError {
    /// The length is below 8 or above [`MAX_LENGTH`].
    Length(u32),
    /// Names and values do not end where they should.
    Layout,
    /// The major version is not 3.
    Version(u32),
    /// The key of a `CancelRequest` has an impossible length.
    CancelKey(usize),
    /// What follows an `SSLRequest` or `GSSENCRequest` in the same packet.
    Trailing(usize),
}

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

    /// Reads what follows the length.
    ///
    /// # Errors
    ///
    /// Everything but [`StartupError::Length`], which `body` shorter than four bytes is.
    pub fn parse(body: &[u8]) -> Result<Self, StartupError> {
        let length = || StartupError::Length(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
        let (code, rest) = body.split_first_chunk::<4>().ok_or_else(length)?;
        let alone = |packet| match rest.len() {
            0 => Ok(packet),
            trailing => Err(StartupError::Trailing(trailing)),
        };
        match u32::from_be_bytes(*code) {
            TLS => alone(Self::Tls),
            GSS => alone(Self::Gss),
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

fn parameters(mut rest: &[u8]) -> Result<Parameters, StartupError> {
    let mut text = || {
        let end = rest.iter().position(|byte| *byte == 0).ok_or(StartupError::Layout)?;
        let (text, after) = rest.split_at(end);
        rest = after.split_first().map_or(&[], |(_, after)| after);
        Ok((text.to_vec(), rest.is_empty()))
    };
    let mut found = Vec::new();
    loop {
        match text()? {
            // The empty name ends the packet, and nothing may follow.
            (name, true) if name.is_empty() => return Ok(found),
            (name, last) if name.is_empty() || last => return Err(StartupError::Layout),
            (name, _) => {
                let (value, last) = text()?;
                if last {
                    return Err(StartupError::Layout);
                }
                found.push((name, value));
            }
        }
    }
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

impl StartupError {
    /// The SQLSTATE that PostgreSQL reports for it.
    #[must_use]
    pub fn sqlstate(self) -> &'static str {
        match self {
            // feature_not_supported
            Self::Version(_) => "0A000",
            // protocol_violation
            _ => "08P01",
        }
    }
}

impl fmt::Display for StartupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(
                f,
                "invalid length of startup packet: {length} bytes; accepted: 8 to {MAX_LENGTH}"
            ),
            Self::Layout => f.write_str(
                "invalid startup packet layout: expected names and values that end with a zero byte each, \
                 and one more at the end",
            ),
            Self::Version(version) => {
                let (major, minor) = (version >> 16, version & 0xffff);
                write!(f, "unsupported frontend protocol {major}.{minor}; accepted: 3")
            }
            Self::CancelKey(length) => write!(
                f,
                "invalid length of a cancel key: {length} bytes; accepted: {} to {}",
                CANCEL_KEY.start(),
                CANCEL_KEY.end()
            ),
            Self::Trailing(length) => {
                write!(f, "invalid startup packet layout: {length} bytes after an encryption request")
            }
        }
    }
}

impl std::error::Error for StartupError {}

#[cfg(test)]
mod tests;
