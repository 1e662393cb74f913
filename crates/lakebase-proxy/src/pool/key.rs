//! Which clients can have the same session one after another.

use lakebase_session::startup::Startup;

/// The part of a client's start-up that an open session cannot change: the database, the version of the protocol, and every
/// start-up parameter but `application_name`.
///
/// Settings of the start are what `RESET` and `DISCARD ALL` go back to, so they are not made by `SET` afterwards: only then is a
/// reused session like one of the client's own. `application_name` often differs from one process to the next, and is
/// set: after a `RESET` of its own a client has the connector's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(Box<[u8]>);

/// The session that a client wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) key: Key,
    /// `None` if it names none.
    pub(crate) application_name: Option<Vec<u8>>,
    /// Opens a session with this key.
    pub(crate) startup: Startup,
}

impl Wanted {
    /// Reads it from what a client said at its start; `None` for what no pool can serve: replication.
    pub(crate) fn new(startup: &Startup) -> Option<Self> {
        if startup.get("replication").is_some() {
            return None;
        }
        let mut startup = startup.clone();
        let user = startup.remove("user");
        // libpq sends the user's name where none was given.
        let database = startup.get("database");
        if database.is_some_and(|name| name.is_empty() || Some(name) == user.as_deref()) {
            startup.remove("database");
        }
        let named = startup.get("application_name");
        // The server replaces other characters at a start, and refuses some of them in a statement.
        let application_name = match named.is_none_or(is_printable) {
            true => startup.remove("application_name"),
            false => None,
        };
        // Shorter than what the client sent.
        let key = Key(startup.encode().ok()?.into());
        Some(Self { key, application_name, startup })
    }
}

fn is_printable(name: &[u8]) -> bool {
    name.iter().all(|byte| (b' '..=b'~').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(parameters: &[(&str, &str)]) -> Option<Wanted> {
        let mut startup = Startup::new();
        parameters.iter().for_each(|(name, value)| startup.set(name, value));
        Wanted::new(&startup)
    }

    #[test]
    fn the_name_of_the_program_makes_no_difference_and_all_else_does() {
        let usual = wanted(&[("user", "me"), ("application_name", "one")]).unwrap();
        assert_eq!(usual.application_name.as_deref(), Some(&b"one"[..]));
        for same in [
            &[("user", "me")][..],
            &[("user", "you"), ("application_name", "it's")],
            &[("user", "me"), ("database", "me")],
            &[("user", "me"), ("database", "")],
        ] {
            assert_eq!(wanted(same).unwrap().key, usual.key, "{same:?}");
        }
        for other in [
            &[("user", "me"), ("database", "other")][..],
            &[("user", "me"), ("options", "-c work_mem=1MB")],
            &[("user", "me"), ("client_encoding", "LATIN1")],
            &[("user", "me"), ("application_name", "café")],
            &[("user", "me"), ("_pq_.some_option", "1")],
        ] {
            let other = wanted(other).unwrap();
            assert_ne!(other.key, usual.key, "{other:?}");
            assert_eq!(other.application_name, None);
        }
        assert!(wanted(&[("user", "me"), ("replication", "database")]).is_none());
    }
}
