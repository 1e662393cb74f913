//! Shortens text for an error message to one line without anything like a secret.

use lakebase_core::Secret;

/// The longest text that is quoted, in characters.
const MAX: usize = 300;

const HIDDEN: &str = "[redacted]";

/// The prefixes of Databricks' tokens and secrets: JWT, personal access tokens, OAuth secrets.
const PREFIXES: [&str; 4] = ["eyJ", "dapi", "dkea", "dose"];

/// The fewest characters after a prefix for which a word counts as a secret.
const MIN_TAIL: usize = 8;

/// `text` on one line, cut to 300 characters, with every word that looks like a token replaced.
#[must_use]
pub(crate) fn clean(text: &str) -> String {
    clean_with(text, &[])
}

/// As [`clean`], and replaces `secrets` everywhere.
#[must_use]
pub(crate) fn clean_with(text: &str, secrets: &[Secret]) -> String {
    let mut line = String::with_capacity(text.len().min(4 * MAX));
    for character in text.chars().map(|c| if is_invisible(c) { ' ' } else { c }) {
        if character != ' ' || !(line.is_empty() || line.ends_with(' ')) {
            line.push(character);
        }
    }
    let mut line = line.trim_end().to_owned();
    for secret in secrets.iter().map(|secret| secret.expose().trim()) {
        if secret.len() >= 4 {
            line = line.replace(secret, HIDDEN);
        }
    }
    let line = hide_after_scheme(&hide_words(&line));
    match line.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Control characters, and those that change how a terminal shows the text around them.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn in_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.+/=~".contains(c)
}

/// Replaces every run of token characters that starts as a secret does.
fn hide_words(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((start, prefix)) = PREFIXES
        .iter()
        .filter_map(|prefix| rest.find(prefix).map(|start| (start, prefix)))
        .min_by_key(|(start, _)| *start)
    {
        let (before, word) = rest.split_at(start);
        let end = word.find(|c| !in_token(c)).unwrap_or(word.len());
        let end = if end < prefix.len() + MIN_TAIL { prefix.len() } else { end };
        out.push_str(before);
        out.push_str(if end == prefix.len() { prefix } else { HIDDEN });
        rest = &word[end..];
    }
    out.push_str(rest);
    out
}

/// Replaces the word after `Bearer` and `Basic` if it is long enough for a secret.
fn hide_after_scheme(line: &str) -> String {
    let mut after_scheme = false;
    let words = line.split(' ').map(|word| {
        let hide = after_scheme && word.chars().filter(|c| in_token(*c)).count() >= 16;
        after_scheme = ["bearer", "basic"]
            .iter()
            .any(|scheme| word.trim_start_matches(['"', '\'', '(']).eq_ignore_ascii_case(scheme));
        if hide { HIDDEN } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hides_what_looks_like_a_secret() {
        for (text, expected) in [
            ("token eyJhbGciOiJ.e30.sig, expired", "token [redacted], expired"),
            ("x=dapi0123456789abcdef-2;", "x=[redacted];"),
            ("secret(dose0123456789abcdef)", "secret([redacted])"),
            ("Authorization: Bearer abcdefghijklmnop0", "Authorization: Bearer [redacted]"),
            ("basic YWJjOmRlZmdoaWprbG1ubw==", "basic [redacted]"),
            ("high doses of a basic rule", "high doses of a basic rule"),
            ("two\r\n\u{1b}[31mlines\u{202e}", "two [31mlines"),
        ] {
            assert_eq!(clean(text), expected);
        }
    }

    #[test]
    fn cuts_long_text_after_hiding() {
        let text = format!("{}eyJ{}", "é".repeat(295), "a".repeat(500));
        let cleaned = clean(&text);
        assert!(cleaned.ends_with("[reda…"), "{cleaned}");
        assert_eq!(cleaned.chars().count(), 301);
    }

    proptest! {
        #[test]
        fn no_given_secret_survives(
            before in "\\PC{0,40}", secret in "[A-Za-z0-9]{12,80}", after in "[^A-Za-z0-9]\\PC{0,40}",
        ) {
            let text = format!("{before}{secret}{after}");
            prop_assert!(!clean_with(&text, &[Secret::new(secret.clone())]).contains(&secret));
            for prefix in PREFIXES {
                let token = format!("{prefix}{secret}");
                let text = format!("{before}{token}{after}");
                prop_assert!(!clean(&text).contains(&token));
            }
        }

        #[test]
        fn the_result_is_one_short_line(text in any::<String>()) {
            let cleaned = clean(&text);
            prop_assert!(cleaned.chars().count() <= 301);
            prop_assert!(!cleaned.chars().any(char::is_control));
        }
    }
}
