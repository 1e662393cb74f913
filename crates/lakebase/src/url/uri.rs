//! URLs: `user:password@host:port/database?name=value&…` after the scheme.
//!
//! As libpq reads them, with two differences. An `@` in a user name may stand as it is, since no host has one: the last
//! one before the host counts. And what is only possible where a password was not percent-encoded is refused, because
//! its rest would be taken for a port, a database or a parameter, and shown.

use percent_encoding::percent_decode_str;

use super::{ENCODE, Problem, SEVERAL_HOSTS, Words};

pub(super) fn read(rest: &str) -> Result<Words, Problem> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if rest.contains('#') || tail.contains('@') {
        return Err(Problem::slid(
            "there is a # or, after the host, an @, as if a password were not percent-encoded",
        ));
    }
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    if password.contains('@') {
        return Err(Problem::slid("the password has an @ that is not percent-encoded"));
    }
    let mut words = Words::new(ENCODE);
    words.add_part("user", decode(user)?);
    words.add_part("password", decode(password)?);
    read_place(place, &mut words)?;
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    words.add_part("dbname", decode(path.strip_prefix('/').unwrap_or_default())?);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            // A parameter of JDBC that libpq takes, too.
            Some(("ssl", "true")) => words.add("sslmode", "require".to_owned())?,
            Some((name, value)) => words.add(name, decode(value)?)?,
            None => return Err(Problem::slid("a parameter has no value")),
        }
    }
    Ok(words)
}

fn read_place(place: &str, words: &mut Words) -> Result<(), Problem> {
    if place.contains(',') {
        return Err(Problem::new(SEVERAL_HOSTS));
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .filter(|(_, after)| after.is_empty() || after.starts_with(':'))
                .ok_or_else(|| Problem::slid("a [ is not closed before the host's end"))?;
            (host, after.strip_prefix(':').unwrap_or_default())
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    let never = |c: char| c.is_control() || c.is_whitespace() || "\"<>\\^`{|}[]".contains(c);
    if host.contains(never) {
        return Err(Problem::slid("the host has a character that no host has"));
    }
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if !port.is_empty() && !is_port(port) {
        return Err(Problem::slid("the port is not one of 1 to 65535"));
    }
    words.add_part("host", decode(host)?);
    words.add_part("port", port.to_owned());
    Ok(())
}

/// Takes percent-encoding away, as strictly as libpq: bytes that are no such code, or a zero, are refused.
fn decode(text: &str) -> Result<String, Problem> {
    let is_code = |code: &str| {
        let digits = code.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00")
    };
    if !text.split('%').skip(1).all(is_code) {
        return Err(Problem::slid("a % is not followed by the code of a character"));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(Problem::slid("a percent-encoded part is not UTF-8")),
    }
}
