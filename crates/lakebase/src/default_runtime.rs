//! The runtime that is used when the program names none.

use lakebase_core::{Result, Runtime};
use lakebase_runtime::Options;

/// Says at compile time that a runtime is missing, at the call that needs one and nowhere else.
///
/// Implemented for [`Builder`](crate::Builder) exactly when a runtime feature is on. The lifetime only
/// delays the check from the definition of a method to its use.
#[diagnostic::on_unimplemented(
    message = "no async runtime is compiled in: enable a feature of `lakebase`: `tokio`, `async-std` or `smol`",
    label = "needs a runtime",
    note = "or hand your own to `Builder::build_with`"
)]
pub trait HasRuntime<'a> {}

#[cfg(any(feature = "tokio", feature = "async-std", feature = "smol"))]
impl HasRuntime<'_> for crate::Builder {}

#[cfg(any(feature = "tokio", feature = "async-std", feature = "smol"))]
pub(crate) fn default_runtime(options: &Options) -> Result<Runtime> {
    lakebase_runtime::auto(options)
}

#[cfg(not(any(feature = "tokio", feature = "async-std", feature = "smol")))]
pub(crate) fn default_runtime(_options: &Options) -> Result<Runtime> {
    Err(lakebase_core::Error::new(
        lakebase_core::ErrorKind::Unsupported,
        "no async runtime is compiled in; enable a feature of lakebase: tokio, async-std or smol",
    ))
}
