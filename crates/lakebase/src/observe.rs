//! Events about settings; nothing at all without the feature `tracing`.

use lakebase_core::{Error, SettingOrigin};

/// The URL of another tool's variable is used, because nothing else says what to connect to.
pub(crate) fn last_resort(url: &SettingOrigin) {
    let _ = url;
    #[cfg(feature = "tracing")]
    tracing::info!(setting = %url, "connecting to a URL, because nothing else says what to connect to");
}

/// A variable of libpq's holds what is not done here, which endangers nothing.
pub(crate) fn variable_not_read(problem: &Error) {
    let _ = problem;
    #[cfg(feature = "tracing")]
    tracing::info!(problem = %problem, "variable not read");
}

/// There is a password file, and it is not used.
pub(crate) fn password_file_ignored(reason: &str) {
    let _ = reason;
    #[cfg(feature = "tracing")]
    tracing::warn!(reason, "password file ignored");
}
