//! Public signatures that name a library which should stay an implementation detail.
//!
//! A scan of the text, not of types: it sees `pub` items, public traits and enums whole, and headers of `impl` blocks, and it follows names
//! imported from the forbidden libraries. Comments, strings and test modules are left out.

use super::rules::PRIVATE_LIBRARIES;

/// One forbidden name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leak {
    pub(super) line: usize,
    pub(super) word: String,
    pub(super) item: String,
}

/// Every forbidden name in a public signature of `source`.
pub(super) fn leaks(source: &str) -> Vec<Leak> {
    let code: Vec<String> = source.lines().map(strip).collect();
    let end = code.iter().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(code.len());
    let code = code.get(..end).unwrap_or_default();
    let mut banned: Vec<String> =
        PRIVATE_LIBRARIES.iter().map(|name| format!("{name}::")).collect();
    banned.extend(imported(code));

    let mut found = Vec::new();
    let mut index = 0;
    while let Some(line) = code.get(index) {
        let item = if starts_item(line.trim()) {
            collect(code.get(index..).unwrap_or_default())
        } else {
            Vec::new()
        };
        let length = item.len().max(1);
        for (offset, line) in item.iter().enumerate() {
            for word in banned.iter().filter(|word| names(line, word)) {
                found.push(Leak {
                    line: index + offset + 1,
                    word: word.trim_end_matches(':').to_owned(),
                    item: line.trim().to_owned(),
                });
            }
        }
        index += length;
    }
    found
}

/// A public item (not `pub(crate)`) or the header of an implementation.
fn starts_item(line: &str) -> bool {
    line.starts_with("pub ") || line.starts_with("impl ") || line.starts_with("impl<")
}

/// The lines of an item's signature: bodies of functions and implementations are not part of it, those of traits and enums are.
fn collect(code: &[String]) -> Vec<String> {
    let first = code.first().map(|line| line.trim().to_owned()).unwrap_or_default();
    let whole =
        ["pub trait ", "pub enum ", "pub use "].iter().any(|start| first.starts_with(start));
    let mut item = Vec::new();
    let (mut braces, mut brackets) = (0_i32, 0_i32);
    for line in code {
        let mut kept = String::new();
        for c in line.chars() {
            match c {
                '{' if !whole && brackets == 0 => {
                    item.push(kept);
                    return item;
                }
                '{' => braces += 1,
                '}' => braces -= 1,
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                _ => {}
            }
            kept.push(c);
            let closed = braces == 0 && brackets == 0;
            if closed
                && (c == ';'
                    || (c == '}' && whole && !first.starts_with("pub use "))
                    || (c == ',' && is_field(&first)))
            {
                item.push(kept);
                return item;
            }
        }
        item.push(kept);
    }
    item
}

/// `pub name: Type,`
fn is_field(first: &str) -> bool {
    first.strip_prefix("pub ").and_then(|rest| rest.split_once(':')).is_some_and(|(name, rest)| {
        !rest.starts_with(':') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// Names that `use` brings in from forbidden libraries, and their aliases.
fn imported(code: &[String]) -> Vec<String> {
    let text = code.join("\n");
    let mut names = Vec::new();
    for statement in text.split("use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default().trim();
        let library = statement.split([':', ' ']).next().unwrap_or_default();
        if !PRIVATE_LIBRARIES.contains(&library) {
            continue;
        }
        for part in statement.split(['{', '}', ',']) {
            let last = part.rsplit("::").next().unwrap_or_default();
            let name = last.rsplit(" as ").next().unwrap_or_default().trim();
            if !name.is_empty() && !["_", "*", "self"].contains(&name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Whether `word` stands in `line` as a whole word.
fn names(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part_of_name)
            && (word.ends_with(':') || !after.is_some_and(part_of_name))
    })
}

/// The line without its comment and without the inside of its strings.
fn strip(line: &str) -> String {
    let mut kept = String::new();
    let mut chars = line.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => {
                chars.next();
            }
            '"' => in_string = !in_string,
            _ if in_string => {}
            '/' if chars.peek() == Some(&'/') => break,
            _ => kept.push(c),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[(usize, &str)]) {
        let found = leaks(source);
        let found: Vec<_> = found.iter().map(|leak| (leak.line, leak.word.as_str())).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn direct_paths_are_caught_wherever_they_are_public() {
        check("pub fn client() -> reqwest::Client {", &[(1, "reqwest")]);
        check("pub fn client(\n    a: u8,\n    b: &hyper::Uri,\n) {", &[(3, "hyper")]);
        check("pub type Tls = Arc<rustls::ClientConfig>;", &[(1, "rustls")]);
        check("pub use surf::Client;", &[(1, "surf"), (1, "Client")]);
        check("pub struct A {\n    pub inner: reqwest::Client,\n}", &[(2, "reqwest")]);
        check("pub enum A {\n    Http(reqwest::Error),\n}", &[(2, "reqwest")]);
        check("pub trait A {\n    fn f(&self) -> surf::Url;\n}", &[(2, "surf")]);
        check("impl From<reqwest::Error> for Error {", &[(1, "reqwest")]);
    }

    #[test]
    fn imported_names_are_followed() {
        check(
            "use reqwest::{Client, Error as HttpError};\npub fn a() -> Client {\n}\npub fn b(e: HttpError) {",
            &[(2, "Client"), (4, "HttpError")],
        );
    }

    #[test]
    fn what_is_private_may_name_anything() {
        check(
            "pub struct A {\n    inner: reqwest::Client,\n}\nfn f(c: hyper::Client) {}\npub(crate) fn g() -> surf::Client {",
            &[],
        );
        check("pub fn f() {\n    let c = reqwest::Client::new();\n}", &[]);
        check("/// Like `reqwest::Client`.\npub fn f(a: &str) -> u8 { 1 } // reqwest::Client", &[]);
        check("pub const A: &str = \"reqwest::Client\";", &[]);
        check("pub fn f() -> my_hyper::Uri {", &[]);
        check("#[cfg(test)]\nmod tests {\n    pub fn f() -> reqwest::Client {", &[]);
    }
}
