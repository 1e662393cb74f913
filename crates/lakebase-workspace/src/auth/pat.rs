//! Personal access tokens: `pat`.

use async_trait::async_trait;
use lakebase_core::refresh::Demand;
use lakebase_core::{Result, Secret, Setting};

use super::{AccessToken, TokenSource};

/// A token that was configured and stays the same.
#[derive(Debug)]
pub(crate) struct PersonalAccessToken(pub(crate) Setting<Secret>);

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl TokenSource for PersonalAccessToken {
    async fn fetch(&self, _: Demand) -> Result<AccessToken> {
        Ok(AccessToken { token: self.0.value.clone(), expires_at: None, served_at: None })
    }

    fn auth_type(&self) -> &str {
        "pat"
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
