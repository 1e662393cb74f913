//! Proofs of a password towards a server: SCRAM-SHA-256 (RFC 5802 and 7677, without channel binding), and PostgreSQL's older md5.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lakebase_core::Secret;
use md5::{Digest as _, Md5};
use ring::hmac::{self, HMAC_SHA256};
use ring::pbkdf2;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::sha256;

/// The mechanism.
pub(crate) const MECHANISM: &str = "SCRAM-SHA-256";

/// The GS2 header: no channel binding.
const HEADER: &str = "n,,";

/// More rounds than any server asks for in earnest (PostgreSQL's default is 4096), and less than a second of work.
const MOST_ITERATIONS: u32 = 1_000_000;

/// One proof that is under way.
pub(crate) struct Proof {
    nonce: String,
    /// The key and the text of the proof that the server knows the password, too.
    server: Option<(hmac::Key, String)>,
    mutual: bool,
}

impl Proof {
    /// `None` if the system has no randomness.
    pub(crate) fn new() -> Option<Self> {
        let mut nonce = [0; 18];
        SystemRandom::new().fill(&mut nonce).ok()?;
        Some(Self { nonce: STANDARD.encode(nonce), server: None, mutual: false })
    }

    /// A `SASLInitialResponse`.
    pub(crate) fn initial(&self) -> Vec<u8> {
        let first = format!("{HEADER}{}", self.first());
        let length = u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes();
        [MECHANISM.as_bytes(), &[0], &length, first.as_bytes()].concat()
    }

    /// The user's name is that of the start-up message.
    fn first(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// The answer to the server's challenge; `None` if that is malformed or asks for too much.
    pub(crate) fn answer(&mut self, challenge: &[u8], password: &Secret) -> Option<Vec<u8>> {
        let challenge = std::str::from_utf8(challenge).ok()?;
        let mut fields = challenge.split(',');
        let nonce = fields.next()?.strip_prefix("r=")?;
        let salt = STANDARD.decode(fields.next()?.strip_prefix("s=")?).ok()?;
        let iterations: u32 = fields.next()?.strip_prefix("i=")?.parse().ok()?;
        if iterations > MOST_ITERATIONS || !nonce.starts_with(&self.nonce) || nonce == self.nonce {
            return None;
        }
        let prepared = stringprep::saslprep(password.expose());
        // A password that cannot be prepared is taken as it is, as PostgreSQL does.
        let password = prepared.as_deref().unwrap_or(password.expose()).as_bytes();
        let mut salted = [0; 32];
        let rounds = NonZeroU32::new(iterations)?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password, &mut salted);
        let salted = hmac::Key::new(HMAC_SHA256, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = hmac::Key::new(HMAC_SHA256, &sha256(client_key.as_ref()));
        let unproved = format!("c={},r={nonce}", STANDARD.encode(HEADER));
        let message = format!("{},{challenge},{unproved}", self.first());
        let signature = hmac::sign(&stored_key, message.as_bytes());
        let both = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = both.map(|(key, sign)| key ^ sign).collect();
        let server_key = hmac::sign(&salted, b"Server Key");
        self.server = Some((hmac::Key::new(HMAC_SHA256, server_key.as_ref()), message));
        Some(format!("{unproved},p={}", STANDARD.encode(proof)).into_bytes())
    }

    /// Whether the server's last word proves that it knows the password.
    pub(crate) fn believes(&mut self, last: &[u8]) -> bool {
        let Some((key, message)) = &self.server else { return false };
        let signature = last.strip_prefix(b"v=").and_then(|text| STANDARD.decode(text).ok());
        self.mutual = signature
            .is_some_and(|signature| hmac::verify(key, message.as_bytes(), &signature).is_ok());
        self.mutual
    }

    /// Whether the server has proved that it knows the password.
    pub(crate) fn is_mutual(&self) -> bool {
        self.mutual
    }
}

/// The answer to a server that asks for an MD5 password.
pub(crate) fn md5_proof(user: &str, password: &Secret, salt: [u8; 4]) -> String {
    let hex = |parts: &[&[u8]]| {
        let mut hash = Md5::new();
        parts.iter().for_each(|part| hash.update(part));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let inner = hex(&[password.expose().as_bytes(), user.as_bytes()]);
    format!("md5{}", hex(&[inner.as_bytes(), &salt]))
}

#[cfg(test)]
mod tests {
    use postgres_protocol::authentication::md5_hash;

    use super::*;

    #[test]
    fn the_example_of_rfc_7677() {
        let mut proof = Proof { nonce: "rOprNGfwEbeRWgbNEkqO".into(), server: None, mutual: false };
        let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = proof.answer(challenge, &Secret::new("pencil")).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        // The example names the user, which PostgreSQL's clients leave empty; so the proof differs from it.
        assert!(
            answer.starts_with("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=")
        );
        assert!(!proof.believes(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    }

    #[test]
    fn challenges_that_ask_for_too_much_are_refused() {
        let password = Secret::new("x");
        let with = |text: String| {
            let mut proof = Proof::new().unwrap();
            let text = text.replace("NONCE", &proof.nonce);
            proof.answer(text.as_bytes(), &password)
        };
        assert!(with("r=NONCEmore,s=AAAA,i=1".into()).is_some());
        for wrong in [
            "",
            "r=NONCE,s=AAAA,i=1",
            "r=another,s=AAAA,i=1",
            "r=NONCEmore,s=!,i=1",
            "r=NONCEmore,s=AAAA,i=0",
            "r=NONCEmore,s=AAAA,i=4000000000",
            "r=NONCEmore,s=AAAA",
            "e=other-error",
        ] {
            assert!(with(wrong.into()).is_none(), "{wrong}");
        }
        assert!(!Proof::new().unwrap().believes(b"v="));
    }

    #[test]
    fn md5_is_what_others_compute() {
        let ours = md5_proof("md5_user", &Secret::new("password"), [0x2a, 0x3d, 0x8f, 0xe0]);
        assert_eq!(ours, md5_hash(b"md5_user", b"password", [0x2a, 0x3d, 0x8f, 0xe0]));
    }
}
