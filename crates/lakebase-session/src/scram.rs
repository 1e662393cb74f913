//! SCRAM-SHA-256 as a server: RFC 5802 and 7677, without channel binding.

pub(crate) mod client;

use std::fmt;
use std::io;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use futures_util::io::AsyncWriteExt as _;
use lakebase_core::Secret;
use lakebase_core::effect::ByteStream;
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, pbkdf2};

use crate::message;

/// The mechanisms offered, as `AuthenticationSASL` lists them.
const MECHANISMS: &[u8] = b"SCRAM-SHA-256\0\0";

/// PostgreSQL's own default.
const ITERATIONS: u32 = 4096;

/// Checks a password without holding it.
pub struct Verifier {
    salt: [u8; 16],
    stored_key: [u8; 32],
    server_key: hmac::Key,
    random: SystemRandom,
}

/// One client that is about to prove that it knows the password.
struct Exchange<'a> {
    verifier: &'a Verifier,
    client_first: String,
    challenge: String,
    /// The client's nonce and ours.
    nonce: String,
    /// `c=` of the last message: the header of the first, in base64.
    binding: String,
}

/// Asks for the password by SCRAM-SHA-256; whether the client knows it.
///
/// # Errors
///
/// Those of the stream.
pub async fn ask(client: &mut (impl ByteStream + ?Sized), verifier: &Verifier) -> io::Result<bool> {
    let mut client = client;
    let mut buffer = BytesMut::new();
    send(&mut client, 10, MECHANISMS).await?;
    let Some(response) = password_message(&mut client, &mut buffer).await? else {
        return Ok(false);
    };
    let Some(exchange) = verifier.begin(&response) else { return Ok(false) };
    send(&mut client, 11, exchange.challenge()).await?;
    let Some(response) = password_message(&mut client, &mut buffer).await? else {
        return Ok(false);
    };
    let Some(proof) = exchange.finish(&response) else { return Ok(false) };
    send(&mut client, 12, &proof).await?;
    // A client that sends more before it is authenticated violates the protocol.
    Ok(buffer.is_empty())
}

async fn send(client: &mut impl ByteStream, code: u32, data: &[u8]) -> io::Result<()> {
    let mut out = BytesMut::new();
    message::put(&mut out, b'R', &[&code.to_be_bytes(), data].concat());
    client.write_all(&out).await?;
    client.flush().await
}

/// The body of a password message; `None` if something else came.
async fn password_message(
    client: &mut impl ByteStream,
    buffer: &mut BytesMut,
) -> io::Result<Option<Bytes>> {
    let message = message::read(client, buffer).await?;
    Ok((message.kind == b'p').then_some(message.body))
}

/// A random password; `None` if the system has no randomness.
#[must_use]
pub fn random_password() -> Option<Secret> {
    let mut random = [0; 24];
    SystemRandom::new().fill(&mut random).ok()?;
    Some(Secret::new(URL_SAFE_NO_PAD.encode(random)))
}

impl Verifier {
    /// For `password`, which is taken as it is: keep to ASCII, where clients' preparation of it changes nothing.
    ///
    /// `None` if the system has no randomness.
    #[must_use]
    pub fn new(password: &Secret) -> Option<Self> {
        let random = SystemRandom::new();
        let (mut salt, mut salted) = ([0; 16], [0; 32]);
        random.fill(&mut salt).ok()?;
        let password = password.expose().as_bytes();
        let iterations = NonZeroU32::new(ITERATIONS)?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password, &mut salted);
        let salted = hmac::Key::new(HMAC_SHA256, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let server_key = hmac::sign(&salted, b"Server Key");
        Some(Self {
            salt,
            stored_key: sha256(client_key.as_ref()),
            server_key: hmac::Key::new(HMAC_SHA256, server_key.as_ref()),
            random,
        })
    }

    /// Reads a `SASLInitialResponse`; `None` if it is malformed or wants something else.
    fn begin(&self, response: &[u8]) -> Option<Exchange<'_>> {
        let rest = response.strip_prefix(b"SCRAM-SHA-256\0")?;
        let (length, first) = rest.split_first_chunk::<4>()?;
        if usize::try_from(u32::from_be_bytes(*length)).ok()? != first.len() {
            return None;
        }
        let first = std::str::from_utf8(first).ok()?;
        // `y`: the client could bind channels and saw that we cannot. `p`: it insists.
        let bare = first.strip_prefix("n,").or_else(|| first.strip_prefix("y,"))?;
        let (_authzid, bare) = bare.split_once(',')?;
        // The name is that of the start-up message, and does not matter here.
        let (_name, nonce) = bare.strip_prefix("n=")?.split_once(',')?;
        let nonce = nonce.strip_prefix("r=")?.split(',').next()?;
        if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut ours = [0; 18];
        self.random.fill(&mut ours).ok()?;
        let nonce = format!("{nonce}{}", STANDARD.encode(ours));
        let challenge = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(self.salt));
        let header = &first[..first.len() - bare.len()];
        Some(Exchange {
            verifier: self,
            client_first: bare.to_owned(),
            challenge,
            nonce,
            binding: STANDARD.encode(header),
        })
    }
}

impl Exchange<'_> {
    /// The challenge, which the client gets before its proof.
    fn challenge(&self) -> &[u8] {
        self.challenge.as_bytes()
    }

    /// Checks the client's proof; the server's proof, or `None` if the client does not know the password.
    fn finish(self, response: &[u8]) -> Option<Vec<u8>> {
        let response = std::str::from_utf8(response).ok()?;
        let (unproved, proof) = response.rsplit_once(",p=")?;
        let expected = format!("c={},r={}", self.binding, self.nonce);
        if unproved != expected {
            return None;
        }
        let proof: [u8; 32] = STANDARD.decode(proof).ok()?.try_into().ok()?;
        let message = format!("{},{},{unproved}", self.client_first, self.challenge);
        let stored = hmac::Key::new(HMAC_SHA256, &self.verifier.stored_key);
        let signature = hmac::sign(&stored, message.as_bytes());
        let mut client_key = proof;
        client_key.iter_mut().zip(signature.as_ref()).for_each(|(key, sign)| *key ^= sign);
        // In constant time: both are keys whose tags are compared.
        let claimed = hmac::sign(&hmac::Key::new(HMAC_SHA256, &sha256(&client_key)), b"");
        hmac::verify(&stored, b"", claimed.as_ref()).ok()?;
        let signature = hmac::sign(&self.verifier.server_key, message.as_bytes());
        Some(format!("v={}", STANDARD.encode(signature)).into_bytes())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    use super::*;

    fn initial(first: &[u8]) -> Vec<u8> {
        let length = u32::try_from(first.len()).unwrap();
        [b"SCRAM-SHA-256\0", &length.to_be_bytes()[..], first].concat()
    }

    /// An independent client; whether both sides believe each other.
    fn log_in(password: &str, binding: ChannelBinding) -> bool {
        let verifier = Verifier::new(&Secret::new("open sesame")).unwrap();
        let mut client = ScramSha256::new(password.as_bytes(), binding);
        let exchange = verifier.begin(&initial(client.message())).unwrap();
        client.update(exchange.challenge()).unwrap();
        let Some(proof) = exchange.finish(client.message()) else { return false };
        client.finish(&proof).unwrap();
        true
    }

    #[test]
    fn a_client_with_the_password_gets_in() {
        assert!(log_in("open sesame", ChannelBinding::unsupported()));
        assert!(log_in("open sesame", ChannelBinding::unrequested()));
        assert!(!log_in("open sesamf", ChannelBinding::unsupported()));
        assert!(!log_in("", ChannelBinding::unsupported()));
    }

    #[test]
    fn our_client_and_our_server_believe_each_other() {
        let (password, wrong) = (Secret::new("open sesame"), Secret::new("open sesamf"));
        let verifier = Verifier::new(&password).unwrap();
        for (claimed, right) in [(&password, true), (&wrong, false)] {
            let mut proof = client::Proof::new().unwrap();
            let exchange = verifier.begin(&proof.initial()).unwrap();
            let answer = proof.answer(exchange.challenge(), claimed).unwrap();
            let last = exchange.finish(&answer);
            assert_eq!(last.is_some_and(|last| proof.believes(&last)), right);
        }
    }

    #[test]
    fn malformed_messages_are_refused() {
        let verifier = Verifier::new(&Secret::new("x")).unwrap();
        for wrong in [
            &b""[..],
            b"n,,n=,r=",
            b"n,,r=abc",
            b"p=tls-server-end-point,,n=,r=abc",
            b"n,,n=,r=a\xff",
            b"n,,n=,r=a b",
        ] {
            assert!(verifier.begin(&initial(wrong)).is_none(), "{wrong:?}");
        }
        assert!(verifier.begin(b"SCRAM-SHA-256-PLUS\0\0\0\0\0").is_none());
        assert!(verifier.begin(b"SCRAM-SHA-256\0\0\0\0\x0an,,n=,r=a").is_none());
        let exchange = || verifier.begin(&initial(b"n,,n=,r=abc")).unwrap();
        for wrong in [&b""[..], b"c=biws,r=abc,p=AAAA", b"\xff", b",p="] {
            assert!(exchange().finish(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_proof_is_worth_nothing_for_another_nonce() {
        let verifier = Verifier::new(&Secret::new("x")).unwrap();
        let mut client = ScramSha256::new(b"x", ChannelBinding::unsupported());
        let first = initial(client.message());
        let exchange = verifier.begin(&first).unwrap();
        client.update(exchange.challenge()).unwrap();
        assert!(verifier.begin(&first).unwrap().finish(client.message()).is_none());
        assert!(exchange.finish(client.message()).is_some());
    }
}
