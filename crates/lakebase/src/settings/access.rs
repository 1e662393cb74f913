//! The kind of endpoint that is asked for, and how a server may ask for a proof.

use lakebase_core::connect::RequireAuth;
use lakebase_core::{Access, Error, Setting};

use super::Settings;

const ACCEPTED: &str = "any, read-write, primary, read-only, standby, prefer-standby";

impl Settings<'_> {
    /// The access that `target_session_attrs` asks for.
    pub(crate) fn access(&self) -> Result<Option<Setting<Access>>, Error> {
        let Some(setting) = self.get("target_session_attrs") else { return Ok(None) };
        let parse = |text: String| match text.as_str() {
            "any" | "read-write" | "primary" => Ok(Access::ReadWrite),
            "read-only" | "standby" => Ok(Access::ReadOnly),
            "prefer-standby" => Ok(Access::PreferReadOnly),
            _ => Err(format!("{text:?} is not a kind of session; accepted: {ACCEPTED}")),
        };
        setting.try_map(parse).map(Some)
    }

    /// The methods that `require_auth` allows.
    pub(crate) fn require_auth(&self) -> Result<RequireAuth, Error> {
        Ok(self.read("require_auth", |text| text.parse())?.unwrap_or_default())
    }
}

/// Refuses `access` if it asks for a choice among endpoints where there is one server only.
pub(crate) fn check_choice(access: &Setting<Access>) -> Result<(), Error> {
    match access.value {
        // libpq, too, takes any server in the end with `prefer-standby`.
        Access::ReadWrite | Access::PreferReadOnly => Ok(()),
        Access::ReadOnly => Err(access.error(
            "a read-only endpoint cannot be chosen where the server is named by host or URL and no workspace is asked; \
             name the read-only host itself, or set LAKEBASE_PROJECT or LAKEBASE_ENDPOINT instead",
        )),
    }
}
