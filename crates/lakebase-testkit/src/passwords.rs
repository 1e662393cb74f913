//! Passwords that were put into connection URLs as they are, and whether any part of one shows in a text.

use fastrand::Rng;

/// Characters that have a meaning in a URL, and some that have none.
const SPECIAL: &[u8] = b"/?#@:%&=+[]!$'";
/// Letters and digits that follow each other in no message, whatever their case.
const ORDINARY: &[u8] = b"QXZJKVWqxzjkvw789";
/// The shortest part that counts as a leak, in characters.
const PART: usize = 4;

/// Connection URLs in which `PASSWORD` stands where a password may stand. The host is a closed port of this machine.
pub const PLACES: [&str; 10] = [
    "postgresql://u:PASSWORD@127.0.0.1:1/d?sslmode=require",
    "postgresql://u:PASSWORD@127.0.0.1:1/d",
    "postgresql://u:PASSWORD@127.0.0.1:1",
    "postgres://:PASSWORD@127.0.0.1:1/d?user=u",
    "postgresql+psycopg://me@example.com:PASSWORD@127.0.0.1:1/d",
    "postgresql://u:12/PASSWORD@127.0.0.1:1/d",
    "postgresql://u:PASSWORD@[::1]:1/d?application_name=a",
    "postgresql://u:PASSWORD@/d?host=/nowhere",
    "postgresql://127.0.0.1:1/d?user=u&password=PASSWORD",
    "postgresql://u@127.0.0.1:1/d?password=PASSWORD&sslmode=disable",
];

/// `count` passwords, the same ones each time.
///
/// Of four characters in a row one is ordinary at least, so that no message holds four of them by chance.
pub fn generate(count: usize) -> impl Iterator<Item = String> {
    let mut random = Rng::with_seed(0x5ec2e7);
    std::iter::repeat_with(move || password(&mut random)).take(count)
}

fn password(random: &mut Rng) -> String {
    let length = random.usize(8..24);
    let mut password = String::new();
    while password.len() < length {
        for (characters, most) in [(SPECIAL, PART - 1), (ORDINARY, 5)] {
            for _ in 0..random.usize(1..=most) {
                let character = characters[random.usize(..characters.len())];
                password.push(char::from(character));
            }
        }
    }
    // Half of them begin with what stands at a port's place.
    if random.bool() { password } else { password.replacen(|c: char| !c.is_alphanumeric(), "7", 1) }
}

/// A part of `password` of four characters that `text` shows, as it is or percent-encoded, in any case.
#[must_use]
pub fn leak(password: &str, text: &str) -> Option<String> {
    let (password, text) = (password.to_lowercase(), candidates(text));
    let characters: Vec<char> = password.chars().collect();
    let parts = characters.windows(PART).map(|part| part.iter().collect::<String>());
    parts.flat_map(|part| [encoded(&part), part]).find(|part| text.contains(part.as_str()))
}

/// What is left of `text` in lower case without all that no password consists of, because texts are long.
fn candidates(text: &str) -> String {
    let mut possible = [false; 256];
    for byte in [SPECIAL, ORDINARY, b"0123456789ABCDEFabcdef"].concat() {
        possible[usize::from(byte)] = true;
    }
    let runs = text.as_bytes().split(|byte| !possible[usize::from(*byte)]);
    let long: Vec<&[u8]> = runs.filter(|run| run.len() >= PART).collect();
    String::from_utf8_lossy(&long.join(&b' ')).to_lowercase()
}

fn encoded(text: &str) -> String {
    let encode = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_string(),
        false => format!("%{:02x}", u32::from(c)),
    };
    text.chars().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_of_all_kinds_and_parts_are_found() {
        let all: Vec<String> = generate(1_000).collect();
        assert!(all.iter().all(|password| password.len() >= 8));
        for special in SPECIAL {
            let has = |password: &&String| password.contains(char::from(*special));
            assert!(all.iter().filter(has).count() > 100, "{}", char::from(*special));
        }
        let plain = |c: char| c.is_alphanumeric() || "!$'&=+[]:".contains(c);
        assert!(all.iter().filter(|password| password.chars().all(plain)).count() > 10);
        for text in ["the port is xK/Q8", "host xk%2fq8 is unknown", "XK/Q8", "ü7Xk/ü"] {
            assert!(leak("7xk/q8@", text).is_some(), "{text}");
        }
        assert_eq!(leak("7xk/q8@", "xk/ k/q q8@"), None);
        for place in PLACES {
            assert_eq!(leak(&all[0], place), None);
        }
    }
}
