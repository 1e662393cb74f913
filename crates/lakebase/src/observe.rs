//! Events about settings; nothing at all without the feature `tracing`.

use lakebase_core::SettingOrigin;

/// The URL of another tool's variable is used, because nothing else says what to connect to.
pub(crate) fn last_resort(url: &SettingOrigin) {
    let _ = url;
    #[cfg(feature = "tracing")]
    tracing::info!(setting = %url, "connecting to a URL, because nothing else says what to connect to");
}
