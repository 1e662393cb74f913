//! Personal access tokens: `pat`.

use async_trait::async_trait;
use lakebase_core::refresh::Demand;
use lakebase_core::{Result, Secret, Setting};

use super::kind::{Kind, Prepared, Reading, prepared};
use super::{AccessToken, TokenSource};

pub(super) const KIND: Kind = Kind { name: "pat", needs: "token (DATABRICKS_TOKEN)", read };

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let Some(token) = reading.get("token") else { return Ok(None) };
    if !token.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(token.error("has a blank, a line break or another character that no token has"));
    }
    let token = token.into_secret();
    prepared(move |_| PersonalAccessToken(token.clone()))
}

/// A configured token, which never changes.
#[derive(Debug)]
struct PersonalAccessToken(Setting<Secret>);

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl TokenSource for PersonalAccessToken {
    async fn fetch(&self, _: Demand) -> Result<AccessToken> {
        Ok(AccessToken::new(self.0.value.clone()))
    }

    fn auth_type(&self) -> &str {
        KIND.name
    }

    fn describe(&self) -> String {
        format!(
            "the personal access token from {}; it may have expired or been revoked",
            self.0.origin
        )
    }

    fn is_renewable(&self) -> bool {
        false
    }
}
