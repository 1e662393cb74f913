//! Keywords and values: `host=localhost user='my name' dbname=db`, what libpq reads beside URLs.
//!
//! Around `=` may be spaces. A value with spaces, or an empty one, stands in single quotes; in any value a backslash
//! takes the next character as it is.

use super::{ACCEPTED, Problem, Words};
use crate::parameters;

const QUOTE: &str =
    "a value with spaces stands in single quotes, and a backslash before each ' and \\ in it";

pub(super) fn read(text: &str) -> Result<Words, Problem> {
    let mut words = Words::new(QUOTE);
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) =
            rest.split_once('=').ok_or_else(|| wrong(&format!("a word has no =; {QUOTE}")))?;
        // Else it is no list of parameters at all, and no part of it is known to be harmless.
        if words.found.is_empty() && parameters::find(name.trim_end()).is_none() {
            return Err(wrong("neither a URL nor a list of parameters"));
        }
        let (value, after) = value(after.trim_start())?;
        words.add(name.trim_end(), value)?;
        rest = after.trim_start();
    }
    Ok(words)
}

/// The value at the start of `text`, and what comes after it.
fn value(text: &str) -> Result<(String, &str), Problem> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, character)| character)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            _ if !quoted && character.is_ascii_whitespace() => return Ok((value, &text[at..])),
            _ => value.push(character),
        }
    }
    match quoted {
        true => Err(wrong("a single quote is not closed")),
        false => Ok((value, "")),
    }
}

fn wrong(what: &str) -> Problem {
    Problem::new(format!("{what}; accepted: {ACCEPTED}"))
}
