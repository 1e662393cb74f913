//! The small grammar inside the values of a query string: names, and lists with quotes.

/// Splits at commas outside double quotes and parentheses; `None` when those do not pair up.
pub(super) fn split_list(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                parts.push(text.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (!quoted && depth == 0).then_some(parts)
}

/// A value that may be in double quotes, inside which a backslash keeps the next character.
pub(super) fn unquote(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let mut value = String::new();
    let mut rest = inner.chars();
    loop {
        match rest.next()? {
            '"' => return rest.next().is_none().then_some(value),
            '\\' => value.push(rest.next()?),
            c => value.push(c),
        }
    }
}

/// A column's name, plain or in double quotes; what follows it is in the second part.
pub(super) fn name(text: &str) -> Option<(String, &str)> {
    let end = if text.starts_with('"') {
        let mut escaped = false;
        let close = text.char_indices().skip(1).find(|(_, c)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        });
        close.map(|(at, _)| at + 1)?
    } else {
        text.find(['.', ':', ',', '(', ')', '"']).unwrap_or(text.len())
    };
    let (name, rest) = text.split_at(end);
    let name = unquote(name)?;
    // No identifier holds a NUL.
    let good =
        !name.is_empty() && !name.contains('\0') && (text.starts_with('"') || !name.contains("->"));
    good.then_some((name, rest))
}

/// Values as the text of a Postgres array, to be bound as one parameter.
pub(super) fn array(values: &[String]) -> String {
    let quote =
        |value: &String| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", values.iter().map(quote).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_quotes_and_parentheses() {
        assert_eq!(split_list("a,\"b,\\\"c\",d(e,f)"), Some(vec!["a", "\"b,\\\"c\"", "d(e,f)"]));
        assert_eq!(split_list(""), Some(vec![""]));
        for unpaired in ["(", ")", "a\"", "\"a\\\"", "a)("] {
            assert_eq!(split_list(unpaired), None, "{unpaired}");
        }
    }

    #[test]
    fn names_end_where_the_grammar_goes_on() {
        assert_eq!(name("age.desc"), Some(("age".to_owned(), ".desc")));
        assert_eq!(name("\"a.b\\\"\".desc"), Some(("a.b\"".to_owned(), ".desc")));
        assert_eq!(name("größe"), Some(("größe".to_owned(), "")));
        for wrong in ["", ".x", "\"\"", "\"x", "a->b", "a\0", "\"a\0\""] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn arrays_keep_every_character() {
        let values = ["a", "b,c", "{}", "\"", "\\", ""].map(str::to_owned);
        assert_eq!(array(&values), r#"{"a","b,c","{}","\"","\\",""}"#);
        assert_eq!(array(&[]), "{}");
    }
}
