//! What an error says.

use lakebase_core::{Error, ErrorKind};

/// `error` is of this kind, and its report has all of these parts.
///
/// # Panics
///
/// If not.
#[track_caller]
pub fn assert_error(error: &Error, kind: ErrorKind, parts: &[&str]) {
    let report = error.report();
    assert_eq!(error.kind(), kind, "{report}");
    for part in parts {
        assert!(report.contains(part), "missing {part:?} in {report:?}");
    }
}
