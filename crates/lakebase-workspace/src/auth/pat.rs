//! Tokens that the program is given and that never change: personal access tokens (`pat`), and users' tokens.
//!
//! Databricks Apps forward the user's token as `x-forwarded-access-token`. It is valid for about an hour, and the next
//! request has a newer one.

use std::sync::Arc;

use lakebase_core::refresh::Demand;
use lakebase_core::{Error, ErrorKind, Result, Secret};

use super::kind::{Identity, Kind, Named, Prepared, Reading, prepared};
use super::{AccessToken, TokenSource};

pub(super) const KIND: Kind = Kind { name: "pat", needs: "token (DATABRICKS_TOKEN)", read };

/// The name of the kind of users' tokens. No setting selects it.
pub(crate) const USER_TOKEN: &str = "on-behalf-of";

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let Some(token) = reading.get("token") else { return Ok(None) };
    if !token.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(token.error("has a blank, a line break or another character that no token has"));
    }
    let description = format!(
        "the personal access token from {}; it may have expired or been revoked",
        token.origin
    );
    let token = FixedToken { token: Secret::new(token.value), description };
    Ok(Some(prepared(KIND.name, move |_| token.clone())))
}

/// The identity of a user, whose token the program received with a request.
pub(crate) fn user_token(token: Secret) -> Result<Arc<dyn TokenSource>> {
    let text = token.expose();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = "the user's token is empty, or has a blank, a line break or another character that no token has";
        return Err(Error::new(ErrorKind::Config, problem));
    }
    let description = "the token that the user's request brought; it may have expired: take the one of the current request";
    Ok(Arc::new(Named(USER_TOKEN, FixedToken { token, description: description.to_owned() })))
}

/// A token that never changes.
#[derive(Clone, Debug)]
struct FixedToken {
    token: Secret,
    description: String,
}

impl Identity for FixedToken {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        Ok(AccessToken::new(self.token.clone()))
    }

    fn describe(&self) -> String {
        self.description.clone()
    }

    fn is_renewable(&self) -> bool {
        false
    }
}
