//! A user's token that the program received with a request.
//!
//! Databricks Apps forward the user's token as `x-forwarded-access-token`. It is valid for about an hour, and the next
//! request has a newer one.

use async_trait::async_trait;
use lakebase_core::refresh::Demand;
use lakebase_core::{Error, ErrorKind, Result, Secret};

use super::{AccessToken, TokenSource};

/// The name of this kind. No setting selects it.
pub(crate) const USER_TOKEN: &str = "on-behalf-of";

/// The token.
#[derive(Debug)]
pub(crate) struct UserToken(Secret);

impl UserToken {
    pub(crate) fn new(token: Secret) -> Result<Self> {
        let text = token.expose();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = "the user's token is empty, or has a blank, a line break or another character that no token has";
            return Err(Error::new(ErrorKind::Config, problem));
        }
        Ok(Self(token))
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl TokenSource for UserToken {
    async fn fetch(&self, _: Demand) -> Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone()))
    }

    fn auth_type(&self) -> &str {
        USER_TOKEN
    }

    fn describe(&self) -> String {
        "the token that the user's request brought; it may have expired: take the one of the current request"
            .to_owned()
    }

    fn is_renewable(&self) -> bool {
        false
    }
}
