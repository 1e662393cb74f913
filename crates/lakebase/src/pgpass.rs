//! Files of passwords: lines of `host:port:database:user:password`.
//!
//! Source: libpq's documentation, "The Password File". `*` stands for anything, a backslash takes `:` and itself
//! literally, lines that start with `#` say nothing, and of several lines that fit the first one counts.

/// The login whose password is looked for.
#[derive(Debug)]
pub(crate) struct Login<'a> {
    /// A name or address, or the folder of a Unix socket.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
}

/// Folders in which servers have their Unix socket by default: PostgreSQL's own, and that of Debian and Red Hat.
/// In password files, servers there are `localhost`.
const DEFAULT_FOLDERS: [&str; 2] = ["/tmp", "/var/run/postgresql"];

/// The password of the first line of `text` that fits `login`.
pub(crate) fn find(text: &str, login: &Login<'_>) -> Option<String> {
    let folder = login.host.trim_end_matches('/');
    let host = if DEFAULT_FOLDERS.contains(&folder) { "localhost" } else { login.host };
    let port = login.port.to_string();
    let wanted = [host, &port, login.database, login.user];
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let rest =
        lines.filter_map(|line| wanted.iter().try_fold(line, |rest, it| after(rest, it))).next()?;
    Some(first_field(rest))
}

/// The rest of `line` after its first field, if that field stands for `wanted`.
fn after<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut left = wanted.chars();
    let mut characters = line.char_indices();
    while let Some((at, mut character)) = characters.next() {
        if character == ':' && left.as_str().is_empty() {
            return Some(&line[at + 1..]);
        }
        if character == '\\' {
            character = characters.next()?.1;
        }
        if left.next() != Some(character) {
            return None;
        }
    }
    None
}

fn first_field(line: &str) -> String {
    let mut field = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' => break,
            '\\' => field.push(characters.next().unwrap_or('\\')),
            _ => field.push(character),
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'static> = Login { host: "h", port: 5432, database: "d", user: "u" };

    fn check(text: &str, login: &Login<'_>, expected: Option<&str>) {
        assert_eq!(find(text, login).as_deref(), expected, "{text:?} for {login:?}");
    }

    #[test]
    fn every_field_must_fit() {
        check("h:5432:d:u:secret", &LOGIN, Some("secret"));
        check("*:*:*:*:secret\r\n", &LOGIN, Some("secret"));
        for other in [
            "H:*:*:*:s",
            "h:5433:*:*:s",
            "h:543:*:*:s",
            "h:*:dd:*:s",
            "*:*:*:*u:s",
            "**:*:*:*:s",
            "h:*:d",
        ] {
            check(other, &LOGIN, None);
        }
        check("", &LOGIN, None);
    }

    #[test]
    fn the_first_line_that_fits_counts_and_comments_do_not() {
        check("#h:5432:d:u:a\n\nx:*:*:*:b\nh:*:*:*:c\n*:*:*:*:d", &LOGIN, Some("c"));
        check(" #h:5432:d:u:a", &LOGIN, None);
    }

    #[test]
    fn a_backslash_takes_colons_and_itself_literally() {
        let login = Login { host: "::1", database: "a\\b", ..LOGIN };
        check(r"\:\:1:5432:a\\b:u:p\:q\\r:rest", &login, Some(r"p:q\r"));
        check(r"\h:*:*:*:p\", &LOGIN, Some(r"p\"));
        check("h:*:*:*:", &LOGIN, Some(""));
        check(r"h\", &LOGIN, None);
        // `*` is for anything only where it stands alone.
        check(r"\*:*:*:*:p", &Login { host: "*", ..LOGIN }, Some("p"));
        check(r"\*:*:*:*:p", &LOGIN, None);
    }

    #[test]
    fn servers_in_a_default_folder_are_localhost() {
        for folder in ["/tmp", "/var/run/postgresql", "/var/run/postgresql/"] {
            check("localhost:*:*:*:p", &Login { host: folder, ..LOGIN }, Some("p"));
        }
        check("localhost:*:*:*:p", &Login { host: "/srv", ..LOGIN }, None);
        check("/srv:*:*:*:p", &Login { host: "/srv", ..LOGIN }, Some("p"));
    }
}
