//! Which ways to authenticate a server may ask for.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind};

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// The password or token itself, inside TLS.
    Password,
    /// PostgreSQL's older proof of a password.
    Md5,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// No proof at all.
    None,
}

impl AuthMethod {
    const ALL: [Self; 4] = [Self::Password, Self::Md5, Self::ScramSha256, Self::None];

    /// The name that libpq uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Md5 => "md5",
            Self::ScramSha256 => "scram-sha-256",
            Self::None => "none",
        }
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// libpq's ways that are never used here.
const FOREIGN: [&str; 3] = ["gss", "sspi", "oauth"];

/// The ways to authenticate that a server may ask for; libpq's `require_auth`. Default: all.
///
/// Read from names separated by commas: those that are allowed, or all of them behind `!` those that are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequireAuth([bool; 4]);

impl RequireAuth {
    /// Whether the server may ask for `method`.
    #[must_use]
    pub fn allows(self, method: AuthMethod) -> bool {
        AuthMethod::ALL.into_iter().zip(self.0).any(|(known, allowed)| known == method && allowed)
    }
}

impl Default for RequireAuth {
    fn default() -> Self {
        Self([true; 4])
    }
}

impl FromStr for RequireAuth {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |problem: &str| {
            let message = format!(
                "{text:?} {problem}; accepted: names separated by commas, all of them with ! or none: password, md5, \
                 scram-sha-256, none"
            );
            Error::new(ErrorKind::Config, message)
        };
        let is_negative = text.starts_with('!');
        let mut allowed = [is_negative; 4];
        for name in text.split(',').map(str::trim) {
            let name = match (name.strip_prefix('!'), is_negative) {
                (Some(name), true) => name,
                (None, false) => name,
                _ => return Err(refuse("mixes what is allowed with what is not")),
            };
            match AuthMethod::ALL.into_iter().position(|method| method.as_str() == name) {
                Some(place) => allowed[place] = !is_negative,
                None if FOREIGN.contains(&name) => {}
                None => return Err(refuse("holds an unknown way to authenticate")),
            }
        }
        match allowed.contains(&true) {
            true => Ok(Self(allowed)),
            false => Err(refuse("leaves no way to authenticate that is supported")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_say_what_is_allowed_or_what_is_not() {
        use AuthMethod::{Md5, None, Password, ScramSha256};
        for (text, allowed) in [
            ("scram-sha-256", &[ScramSha256][..]),
            ("password, md5", &[Password, Md5]),
            ("gss,none", &[None]),
            ("!password", &[Md5, ScramSha256, None]),
            ("!password,!md5,!gss", &[ScramSha256, None]),
        ] {
            let read: RequireAuth = text.parse().unwrap();
            for method in AuthMethod::ALL {
                assert_eq!(read.allows(method), allowed.contains(&method), "{text}: {method}");
            }
        }
        assert!(AuthMethod::ALL.into_iter().all(|method| RequireAuth::default().allows(method)));
        for (text, problem) in [
            ("password,!md5", "mixes"),
            ("!password,md5", "mixes"),
            ("SCRAM", "unknown"),
            ("password,", "unknown"),
            ("!", "unknown"),
            ("gss,sspi,oauth", "leaves no way"),
            ("!password,!md5,!scram-sha-256,!none", "leaves no way"),
        ] {
            let error = text.parse::<RequireAuth>().unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("accepted: "), "{error}");
        }
    }
}
