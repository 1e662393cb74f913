//! JavaScript objects as arguments and results.

use js_sys::{Array, Object};
use lakebase_core::{Result, Timestamp};
use wasm_bindgen::prelude::*;

use crate::settings::wrong;

#[wasm_bindgen(module = "/src/js/values.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn properties(object: &JsValue, names: &str) -> Result<Array, JsValue>;
    #[cfg(feature = "mint")]
    pub(super) fn minted(
        token: &str,
        expires_at: f64,
        endpoint: &str,
        user: Option<&str>,
    ) -> Object;
    #[cfg(feature = "cache")]
    pub(super) fn login(
        user: &str,
        token: &str,
        expires_at: f64,
        host: &str,
        port: u16,
        database: &str,
    ) -> Object;
}

/// Properties of an object that are neither `undefined` nor `null`.
pub(super) struct Properties(Vec<(&'static str, JsValue)>);

impl Properties {
    /// Reads each of `names`, up to 31 with spaces between, once.
    pub(super) fn read(object: &JsValue, names: &'static str) -> Result<Self> {
        let found = properties(object, names).map_err(|name| {
            wrong(&name.as_string().unwrap_or_default(), "reading it threw an exception")
        })?;
        let mut found = found.iter();
        let bits = found.next().and_then(|bits| bits.as_f64()).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "31 bits")]
        let bits = bits as u32;
        let names = names.split(' ').enumerate().filter(|(index, _)| bits >> index & 1 == 1);
        Ok(Self(names.map(|(_, name)| name).zip(found).collect()))
    }

    #[inline(never)]
    pub(super) fn get(&self, name: &str) -> Option<&JsValue> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    #[inline(never)]
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_string() {
            Some(text) if !text.trim().is_empty() => Ok(Some(text)),
            _ => Err(wrong(name, "accepted: a string that is not empty")),
        }
    }
}

/// Milliseconds for a `Date`.
#[expect(clippy::cast_precision_loss, reason = "a date in milliseconds")]
pub(super) fn date(moment: Timestamp) -> f64 {
    moment.as_unix_millis() as f64
}

#[cfg(test)]
mod tests {
    use js_sys::JSON;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn read(text: &str, names: &'static str) -> Result<Properties> {
        Properties::read(&js_sys::eval(text).unwrap(), names)
    }

    #[wasm_bindgen_test]
    fn properties_that_are_there_are_found_by_their_names() {
        let found = read("({ a: null, b: 'x', d: 0, e: '', other: 1 })", "a b c d e").unwrap();
        let names: Vec<_> = found.0.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["b", "d", "e"]);
        assert_eq!(found.text("b").unwrap().as_deref(), Some("x"));
        assert_eq!(found.get("d").and_then(JsValue::as_f64), Some(0.0));
        assert!(found.get("a").is_none() && found.text("c").unwrap().is_none());
        assert!(found.text("d").is_err() && found.text("e").is_err());
    }

    #[wasm_bindgen_test]
    fn properties_are_read_once_and_those_that_throw_are_named() {
        let counting = "globalThis.read = 0; ({ get a() { read += 1; return 1; } })";
        assert!(read(counting, "a b").unwrap().get("a").is_some());
        assert_eq!(js_sys::eval("read").unwrap(), 1.0);
        let Err(error) = read("({ a: 1, get b() { throw 'sécret'; } })", "a b c") else {
            panic!("read")
        };
        assert!(error.to_string().contains("`b`") && !error.to_string().contains("sécret"));
    }

    #[wasm_bindgen_test]
    fn results_keep_their_milliseconds_and_leave_out_what_is_not_known() {
        let moment = date(Timestamp::from_unix_millis(1_769_817_600_123));
        for (user, shown) in [(Some("u"), r#","user":"u""#), (None, "")] {
            let text = JSON::stringify(&minted("t", moment, "e", user)).unwrap();
            let expected = format!(
                r#"{{"token":"t","expiresAt":"2026-01-31T00:00:00.123Z","endpoint":"e"{shown}}}"#
            );
            assert_eq!(text, expected);
        }
        let text = JSON::stringify(&login("u", "t", moment, "h", 5432, "d")).unwrap();
        let expected = r#"{"user":"u","token":"t","expiresAt":"2026-01-31T00:00:00.123Z","host":"h","port":5432,"database":"d"}"#;
        assert_eq!(text, expected);
    }
}
