//! Rejects texts that are no name of a server: a list, or a text that may contain a part of a password.

use lakebase_core::Error;

use super::Settings;
use crate::url::SEVERAL_HOSTS;

impl Settings<'_> {
    /// Refuses such texts without quoting them, before anything else quotes them.
    pub(super) fn check_server(&self) -> Result<(), Error> {
        for name in ["host", "hostaddr", "port"] {
            let Some(setting) = self.get(name) else { continue };
            let text = setting.value.as_str();
            if text.contains("://") || text.contains('@') {
                return Err(setting.error(
                    "has an @ or ://, as if it were a connection string; set that as url or LAKEBASE_PG_URL",
                ));
            }
            if text.contains(',') {
                return Err(setting.error(SEVERAL_HOSTS));
            }
        }
        match self.get("database") {
            Some(setting) if setting.value.contains("://") => Err(setting.error(
                "has a ://, as if it were a connection string; set that as url or LAKEBASE_PG_URL",
            )),
            _ => Ok(()),
        }
    }
}
