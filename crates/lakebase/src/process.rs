//! The process's own surroundings; the only place that reads them.

use lakebase_core::Environment;
use lakebase_runtime::platform;

/// The variables and files of this process.
#[expect(clippy::disallowed_methods, reason = "this is the look-up that everything else is given")]
pub(crate) fn environment() -> Environment {
    Environment::new(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path))
        .with_file_status(platform::file_status)
}
