//! The part of JSON that replies need.
//!
//! Our own, because of the size in WebAssembly: numbers stay text, since a parser of floats alone is as large as
//! this file.

use std::fmt::Write as _;

/// Limit of the nesting.
const MAX_DEPTH: u8 = 32;

/// A JSON value. Numbers are kept as they are written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Value {
    /// Reads a whole text; `None` if it is not JSON.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let value = reader.value(MAX_DEPTH)?;
        reader.space();
        reader.rest.is_empty().then_some(value)
    }

    /// A field of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// A field that is a text and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A field that is a whole number, or a text with one. Fractions are cut off.
    pub(crate) fn integer(&self, name: &str) -> Option<u64> {
        let (Self::Number(text) | Self::Text(text)) = self.get(name)? else { return None };
        text.split('.').next()?.trim().parse().ok()
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn eat(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn value(&mut self, depth: u8) -> Option<Value> {
        self.space();
        let depth = depth.checked_sub(1)?;
        match *self.rest.as_bytes().first()? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Value::Text),
            b't' => self.eat("true").map(|()| Value::Bool(true)),
            b'f' => self.eat("false").map(|()| Value::Bool(false)),
            b'n' => self.eat("null").map(|()| Value::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: u8) -> Option<Value> {
        let mut fields = Vec::new();
        self.eat("{")?;
        self.space();
        if self.eat("}").is_some() {
            return Some(Value::Object(fields));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.eat(":")?;
            fields.push((name, self.value(depth)?));
            self.space();
            if self.eat(",").is_none() {
                return self.eat("}").map(|()| Value::Object(fields));
            }
        }
    }

    fn list(&mut self, depth: u8) -> Option<Value> {
        let mut values = Vec::new();
        self.eat("[")?;
        self.space();
        if self.eat("]").is_some() {
            return Some(Value::List(values));
        }
        loop {
            values.push(self.value(depth)?);
            self.space();
            if self.eat(",").is_none() {
                return self.eat("]").map(|()| Value::List(values));
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c));
        let (number, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        if !number.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(Value::Number(number.to_owned()))
    }

    fn string(&mut self) -> Option<String> {
        self.eat("\"")?;
        let mut text = String::new();
        loop {
            let end = self.rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
            let (plain, rest) = self.rest.split_at_checked(end)?;
            text.push_str(plain);
            self.rest = rest;
            if self.eat("\"").is_some() {
                return Some(text);
            }
            self.eat("\\")?;
            let mut chars = self.rest.chars();
            let escape = chars.next()?;
            self.rest = chars.as_str();
            text.push(match escape {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => self.escaped()?,
                '"' | '\\' | '/' => escape,
                _ => return None,
            });
        }
    }

    /// Reads the digits after `\u`, perhaps with the second half of a pair.
    fn escaped(&mut self) -> Option<char> {
        let high = self.hex()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        self.eat("\\u")?;
        let low = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)
    }

    fn hex(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '.. => out.push(c),
            _ => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Value> {
        Value::parse(text)
    }

    #[test]
    fn reads_objects_lists_and_escapes() {
        let value = read(
            r#" {"a":[1,-2.5e3,true,null,{}],"b":"x\"\\\/\né\u00e9\ud83d\ude00","n":"7","f":3.9,"e":""} "#,
        );
        let value = value.unwrap();
        assert_eq!(value.text("b"), Some("x\"\\/\né\u{e9}\u{1f600}"));
        assert_eq!((value.integer("n"), value.integer("f")), (Some(7), Some(3)));
        assert_eq!(
            (value.text("e"), value.text("a"), value.get("z").is_none()),
            (None, None, true)
        );
        assert!(matches!(value.get("a"), Some(Value::List(list)) if list.len() == 5));
    }

    #[test]
    fn refuses_what_is_not_json() {
        let deep = "[".repeat(1000);
        for text in [
            "",
            "{",
            "{\"a\"}",
            "{\"a\":1,}",
            "[1 2]",
            "\"x",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\u12\"",
            "tru",
            "1 2",
            "+1",
            "\"\\u+123\"",
            "<html>",
            "\"a\nb\"",
            "\"\\u00é\"",
            &deep,
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_quoted_reads_back() {
        for text in ["", "plain", "q\"b\\n\nt\t\u{1}é\u{1f600}"] {
            let mut out = String::new();
            quote(&mut out, text);
            assert!(read(&out) == Some(Value::Text(text.to_owned())), "{out}");
        }
    }
}
