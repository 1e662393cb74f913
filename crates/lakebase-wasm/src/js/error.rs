//! Errors as JavaScript sees them.

use js_sys::Reflect;
use lakebase_core::Error;
use wasm_bindgen::JsValue;

use crate::settings::millis;

/// An `Error` with `name`, `kind`, and where known `status` and `retryAfter` in seconds.
///
/// The message holds no secret.
pub(super) fn thrown(error: &Error) -> JsValue {
    let made = js_sys::Error::new(&error.to_string());
    made.set_name("LakebaseError");
    let set = |name: &str, value: JsValue| {
        let _ = Reflect::set(&made, &name.into(), &value);
    };
    set("kind", error.kind().as_str().into());
    if let Some(status) = error.status() {
        set("status", status.into());
    }
    if let Some(delay) = error.retry_after() {
        set("retryAfter", (millis(delay) as f64 / 1000.0).into());
    }
    made.into()
}
