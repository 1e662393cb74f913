//! An id token in an environment variable: `env-oidc`.
//!
//! The variable is `DATABRICKS_OIDC_TOKEN`, or the one named by `oidc_token_env`. Facts from Databricks' SDK for
//! Python 0.162, `credentials_provider.py` `env_oidc`, `oidc.py` `EnvIdTokenSource`.

use lakebase_core::{Environment, Error, ErrorKind, Result, Secret};

use super::exchange::{Audience, IdTokens, federated, token_text};
use super::kind::{Kind, Prepared, Reading};

pub(super) const KIND: Kind = Kind { name: "env-oidc", needs: "DATABRICKS_OIDC_TOKEN", read };

const DEFAULT: &str = "DATABRICKS_OIDC_TOKEN";

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let named = reading.get("oidc_token_env");
    let variable = named.as_ref().map_or(DEFAULT, |named| &named.value).to_owned();
    if reading.environment.var(&variable).is_none() {
        return match named {
            Some(named) => Err(named.error(format!("the variable {variable} is not set or empty"))),
            None => Ok(None),
        };
    }
    let environment = reading.environment.clone();
    federated(KIND.name, reading, move |_| Variable {
        environment: environment.clone(),
        name: variable.clone(),
    })
}

/// The variable, read for every exchange.
#[derive(Debug)]
struct Variable {
    environment: Environment,
    name: String,
}

impl IdTokens for Variable {
    async fn id_token(&self, _: &Audience<'_>) -> Result<Secret> {
        let text = self.environment.var(&self.name).map(|setting| setting.value);
        text.as_deref().and_then(token_text).ok_or_else(|| {
            let problem =
                "is empty or has a blank, a line break or another character that no token has";
            Error::new(ErrorKind::Config, format!("{} {problem}", self.describe()))
        })
    }

    fn describe(&self) -> String {
        format!("the id token in {} (environment variable)", self.name)
    }
}
