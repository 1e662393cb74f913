//! The few messages of the Postgres protocol that the gateway reads or writes itself.
//!
//! Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol".

use bytes::{BufMut as _, BytesMut};

/// Longest start-up packet accepted, as in the server itself.
pub(crate) const MAX_STARTUP: usize = 10_000;

/// First packet of a connection, without its length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum First {
    Ssl,
    Gss,
    Cancel,
    Startup(Startup),
}

/// Start-up parameters in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Startup {
    pub(crate) version: u32,
    pub(crate) parameters: Vec<(String, String)>,
}

/// Reads a first packet; the error is the text for the client.
pub(crate) fn parse_first(packet: &[u8]) -> Result<First, String> {
    let (code, rest) = packet.split_first_chunk::<4>().ok_or("invalid length of startup packet")?;
    let version = u32::from_be_bytes(*code);
    match version {
        80_877_103 if rest.is_empty() => Ok(First::Ssl),
        80_877_104 if rest.is_empty() => Ok(First::Gss),
        80_877_102 => Ok(First::Cancel),
        _ if version >> 16 == 3 => {
            let parameters = parse_parameters(rest)?;
            Ok(First::Startup(Startup { version, parameters }))
        }
        _ => Err(format!("unsupported frontend protocol {}.{}", version >> 16, version & 0xffff)),
    }
}

fn parse_parameters(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let wrong = || "invalid startup packet layout: expected terminator as last byte".to_owned();
    let bytes = bytes.strip_suffix(&[0]).ok_or_else(wrong)?;
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = bytes.strip_suffix(&[0]).ok_or_else(wrong)?;
    // Postgres takes any bytes here. Those that are not UTF-8 mean nothing to the emulator, and the server gets U+FFFD for them.
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let mut parameters = Vec::new();
    while let Some(name) = parts.next() {
        let value = parts.next().ok_or_else(wrong)?;
        if name.is_empty() {
            return Err(wrong());
        }
        parameters.push((name.to_owned(), value.to_owned()));
    }
    Ok(parameters)
}

impl Startup {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Takes `endpoint=<id>` out of `options`, where it stands alone or among others.
    pub(crate) fn take_endpoint_option(&mut self) -> Option<String> {
        let (_, options) = self.parameters.iter_mut().find(|(key, _)| key == "options")?;
        let mut endpoint = None;
        let rest: Vec<&str> = options
            .split(' ')
            .filter(|word| match word.strip_prefix("endpoint=") {
                Some(id) => {
                    endpoint = Some(id.to_owned());
                    false
                }
                None => true,
            })
            .collect();
        *options = rest.join(" ");
        self.parameters.retain(|(key, value)| key != "options" || !value.trim().is_empty());
        endpoint
    }

    /// Adds to `options`, which is created where missing.
    pub(crate) fn add_option(&mut self, option: &str) {
        match self.parameters.iter_mut().find(|(key, _)| key == "options") {
            Some((_, options)) => *options = format!("{option} {options}"),
            None => self.parameters.push(("options".to_owned(), option.to_owned())),
        }
    }

    /// The packet for the real Postgres.
    pub(crate) fn encode(&self) -> BytesMut {
        let pairs: Vec<(&str, &str)> =
            self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut packet = crate::postgres::startup(&pairs);
        packet[4..8].copy_from_slice(&self.version.to_be_bytes());
        packet
    }
}

/// `AuthenticationCleartextPassword`.
pub(crate) const ASK_PASSWORD: [u8; 9] = [b'R', 0, 0, 0, 8, 0, 0, 0, 3];

/// Text of a password message without its length and type; `None` when malformed.
pub(crate) fn parse_password(message: &[u8]) -> Option<&str> {
    let text = message.get(5..)?.strip_suffix(&[0])?;
    std::str::from_utf8(text).ok()
}

/// A fatal `ErrorResponse`.
pub(crate) fn error(sqlstate: &str, message: &str, detail: Option<&str>) -> BytesMut {
    let mut body = BytesMut::new();
    let mut field = |kind: u8, text: &str| {
        body.put_u8(kind);
        body.put_slice(text.replace('\0', "").as_bytes());
        body.put_u8(0);
    };
    field(b'S', "FATAL");
    field(b'V', "FATAL");
    field(b'C', sqlstate);
    field(b'M', message);
    if let Some(detail) = detail {
        field(b'D', detail);
    }
    body.put_u8(0);
    let mut packet = BytesMut::new();
    packet.put_u8(b'E');
    packet.put_u32(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
    packet.put_slice(&body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn startup(parameters: &[(&str, &str)]) -> Startup {
        let parameters =
            parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Startup { version: 196_608, parameters }
    }

    #[test]
    fn requests_are_told_apart() {
        assert_eq!(parse_first(&80_877_103u32.to_be_bytes()), Ok(First::Ssl));
        assert_eq!(parse_first(&80_877_104u32.to_be_bytes()), Ok(First::Gss));
        assert_eq!(parse_first(&80_877_102u32.to_be_bytes()), Ok(First::Cancel));
        assert!(
            parse_first(&[0, 2, 0, 0]).unwrap_err().contains("unsupported frontend protocol 2.0")
        );
        assert!(parse_first(b"GE").is_err());
    }

    #[test]
    fn endpoint_option_is_taken_out() {
        let mut packet = startup(&[("user", "a"), ("options", "-c x=1 endpoint=ep-1 -c y=2")]);
        assert_eq!(packet.take_endpoint_option().as_deref(), Some("ep-1"));
        assert_eq!(packet.get("options"), Some("-c x=1 -c y=2"));
        let mut alone = startup(&[("options", "endpoint=ep-1")]);
        assert_eq!(alone.take_endpoint_option().as_deref(), Some("ep-1"));
        assert_eq!(alone.get("options"), None);
        alone.add_option("-c a=b");
        assert_eq!(alone.get("options"), Some("-c a=b"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_first(&bytes);
        }

        #[test]
        fn any_parameters_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut packet = vec![0, 3, 0, 0];
            packet.extend(bytes);
            let _ = parse_first(&packet);
        }

        #[test]
        fn round_trip(pairs in proptest::collection::vec(("[a-z_]{1,9}", "[^\0]{0,20}"), 0..6), minor in 0u32..5) {
            let version = 196_608 + minor;
            let packet = Startup { version, parameters: pairs };
            let encoded = packet.encode();
            prop_assert_eq!(parse_first(&encoded[4..]), Ok(First::Startup(packet)));
        }
    }
}
