//! Random identifiers and secrets, different at every start.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use crate::time::epoch_seconds;

/// `N` bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give, as nothing here would be a secret then.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    assert!(filled.is_ok(), "the operating system gives no random bytes");
    bytes
}

/// Lower-case hexadecimal text of `N` random bytes.
pub(crate) fn hex<const N: usize>() -> String {
    bytes::<N>().iter().map(|b| format!("{b:02x}")).collect()
}

/// An application id in the form of a UUID.
pub(crate) fn uuid() -> String {
    let h = hex::<16>();
    format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..])
}

/// A token in the form of a signed JWT; its last part is random, so it cannot be made up.
pub(crate) fn jwt(mut claims: Value, issued: SystemTime, expires: SystemTime) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": hex::<4>()});
    claims["iat"] = epoch_seconds(issued).into();
    claims["exp"] = epoch_seconds(expires).into();
    claims["jti"] = hex::<8>().into();
    let encode = |value: &[u8]| URL_SAFE_NO_PAD.encode(value);
    format!(
        "{}.{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes()),
        encode(&bytes::<64>())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_as_expected() {
        assert_eq!(uuid().len(), 36);
        assert_ne!(hex::<8>(), hex::<8>());
        let now = SystemTime::UNIX_EPOCH;
        let token = jwt(json!({"sub": "a"}), now, now);
        assert_eq!(token.split('.').count(), 3);
        assert_ne!(token, jwt(json!({"sub": "a"}), now, now));
    }
}
