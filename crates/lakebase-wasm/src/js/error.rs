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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use js_sys::{JSON, Object};
    use lakebase_core::ErrorKind;
    use wasm_bindgen::JsCast;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn field(object: &JsValue, name: &str) -> JsValue {
        Reflect::get(object, &name.into()).unwrap()
    }

    #[wasm_bindgen_test]
    fn errors_are_errors_with_everything_that_is_known() {
        let error = Error::new(ErrorKind::Throttled, "slow down")
            .with_status(429)
            .with_retry_after(Duration::from_millis(1500));
        let thrown = thrown(&error);
        assert!(thrown.is_instance_of::<js_sys::Error>());
        assert_eq!(field(&thrown, "name"), "LakebaseError");
        assert_eq!(field(&thrown, "message"), "slow down");
        assert_eq!(field(&thrown, "kind"), "throttled");
        assert_eq!(field(&thrown, "status"), 429.0);
        assert_eq!(field(&thrown, "retryAfter"), 1.5);
        assert!(field(&thrown, "stack").is_string());
    }

    #[wasm_bindgen_test]
    fn what_is_not_known_is_not_there() {
        let thrown = thrown(&Error::new(ErrorKind::Config, "wrong"));
        let names = Object::keys(thrown.unchecked_ref::<Object>());
        assert_eq!(JSON::stringify(&names).unwrap(), r#"["name","kind"]"#);
    }
}
