//! Every parameter of libpq 18, and what becomes of it here.
//!
//! The code and the public page `connection_string` come from this one table. Sources: PostgreSQL 18's documentation,
//! "Parameter Key Words" and "Environment Variables" of libpq.

mod table;

use lakebase_core::{Environment, Error, Setting};

pub(crate) use self::table::PARAMETERS;

/// A parameter of a connection string.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    variable: Variable,
    pub(crate) treatment: Treatment,
}

/// The environment variable that libpq reads for a parameter.
enum Variable {
    /// There is none.
    None,
    /// It means here what the parameter means.
    Read(&'static str),
    /// It is a wish of other programs that protects nothing, so it is not read.
    Unread(&'static str),
}

/// The treatment of a parameter.
pub(crate) enum Treatment {
    /// It is the setting of this name.
    Honoured {
        setting: &'static str,
        #[cfg_attr(
            not(test),
            expect(dead_code, reason = "for the public page, which a test compares")
        )]
        meaning: &'static str,
    },
    /// Nothing has to be done for these values, or for any if there are none here. Others are refused.
    Harmless { values: &'static [&'static str], reason: &'static str },
    /// It asks for what cannot be given.
    Refused { reason: &'static str },
}

use Treatment::{Harmless, Honoured, Refused};
use Variable::{None as NoVariable, Read, Unread};

impl Parameter {
    /// Whether its value is secret, so that what stands beside it may be a part of it.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(
            self.name,
            "oauth_client_secret"
                | "password"
                | "scram_client_key"
                | "scram_server_key"
                | "sslpassword"
        )
    }

    /// The name under which its value is kept.
    pub(crate) fn key(&self) -> &'static str {
        match self.treatment {
            Honoured { setting, .. } => setting,
            Harmless { .. } | Refused { .. } => self.name,
        }
    }

    fn check(&self, setting: &Setting<String>) -> Result<(), Error> {
        let value = &setting.value;
        match self.treatment {
            Honoured { .. } => Ok(()),
            Refused { reason } => Err(setting.error(format!("not supported: {reason}"))),
            Harmless { values, reason } => {
                let is_known = |known: &&str| known.eq_ignore_ascii_case(value);
                if values.is_empty() || values.iter().any(is_known) {
                    return Ok(());
                }
                let accepted = values.join(", ");
                Err(setting
                    .error(format!("{value:?} is not supported: {reason}; accepted: {accepted}")))
            }
        }
    }
}

/// The parameter of this name.
pub(crate) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.name == name)
}

/// The settings that are parameters, some of which have no variable.
pub(crate) fn honoured() -> impl Iterator<Item = &'static str> {
    PARAMETERS.iter().filter_map(|parameter| match parameter.treatment {
        Honoured { setting, .. } => Some(setting),
        Harmless { .. } | Refused { .. } => None,
    })
}

/// Refuses what the URL or, where that is silent, the environment demands and cannot be given.
pub(crate) fn check(
    in_url: impl Fn(&str) -> Option<Setting<String>>,
    environment: &Environment,
) -> Result<(), Error> {
    for parameter in &PARAMETERS {
        let variable = match parameter.variable {
            Read(name) => environment.var(name),
            Unread(_) | NoVariable => None,
        };
        if let Some(setting) = in_url(parameter.key()).or(variable) {
            parameter.check(&setting)?;
        }
    }
    Ok(())
}

/// Variables with a wish that is not fulfilled, and why: those that are not read.
pub(crate) fn unread(environment: &Environment) -> Vec<Error> {
    let of = |parameter: &Parameter| match parameter.variable {
        Unread(name) => environment.var(name).and_then(|it| parameter.check(&it).err()),
        Read(_) | NoVariable => None,
    };
    PARAMETERS.iter().filter_map(of).collect()
}

#[cfg(test)]
#[path = "parameters/tests.rs"]
mod tests;
