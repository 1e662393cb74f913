//! Options of one call, and promises for it.

use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::{Promise, Reflect};
use lakebase_core::{Error, ErrorKind, Result};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use super::error::thrown;
use super::values::Properties;
#[cfg(feature = "mint")]
use crate::Workspace;
use crate::settings::wrong;

/// The options of one call.
#[derive(Default)]
pub(super) struct Call {
    pub(super) signal: Option<JsValue>,
    #[cfg(feature = "cache")]
    pub(super) wait_until: Option<js_sys::Function>,
}

impl Call {
    const NAMES: &str = if cfg!(feature = "cache") { "signal waitUntil" } else { "signal" };

    pub(super) fn read(options: &JsValue) -> Result<Rc<Self>> {
        let mut call = Self::default();
        if options.is_undefined() || options.is_null() {
            return Ok(Rc::new(call));
        }
        if !options.is_object() {
            return Err(wrong("options", "accepted: an object such as { signal }"));
        }
        let options = Properties::read(options, Self::NAMES)?;
        call.signal = options.get("signal").cloned();
        if call.signal.as_ref().is_some_and(|signal| aborted(signal).is_none()) {
            return Err(wrong("signal", "accepted: an AbortSignal"));
        }
        #[cfg(feature = "cache")]
        if let Some(given) = options.get("waitUntil") {
            let function = given.clone().dyn_into::<js_sys::Function>();
            let bad = |_| wrong("waitUntil", "accepted: a function");
            call.wait_until = Some(function.map_err(bad)?);
        }
        Ok(Rc::new(call))
    }

    /// The error for an aborted signal.
    pub(super) fn ended(&self) -> Option<Error> {
        let signal = self.signal.as_ref()?;
        aborted(signal).unwrap_or(true).then(|| {
            Error::new(
                ErrorKind::TimedOut,
                "the caller's signal was aborted before a credential arrived",
            )
        })
    }

    #[cfg(feature = "mint")]
    /// Waits for `work` until the signal is aborted.
    pub(super) async fn unless_ended<T>(
        &self,
        workspace: &Workspace,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        use futures::future::{Either, select};
        let mut work = std::pin::pin!(work);
        if self.signal.is_none() {
            return work.await;
        }
        loop {
            if let Some(error) = self.ended() {
                return Err(error);
            }
            let look = workspace.effects.timer.sleep(std::time::Duration::from_millis(25));
            if let Either::Left((result, _)) = select(work.as_mut(), look).await {
                return result;
            }
        }
    }
}

/// `signal.aborted`; `None` if it is not a signal.
fn aborted(signal: &JsValue) -> Option<bool> {
    Reflect::get(signal, &"aborted".into()).ok()?.as_bool()
}

pub(super) fn promise(work: impl Future<Output = Result<JsValue>> + 'static) -> Promise {
    settled(Box::pin(async move { work.await.map_err(|error| thrown(&error)) }))
}

/// One boxed type, because each further type would add kilobytes.
pub(super) fn settled(work: LocalBoxFuture<'static, Result<JsValue, JsValue>>) -> Promise {
    future_to_promise(work)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use wasm_bindgen_futures::JsFuture;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn value(text: &str) -> JsValue {
        js_sys::eval(text).unwrap()
    }

    #[wasm_bindgen_test]
    fn calls_without_options_have_none() {
        for text in ["undefined", "null", "({})", "({ signal: undefined, waitUntil: null })"] {
            let call = Call::read(&value(text)).unwrap();
            assert!(call.signal.is_none() && call.ended().is_none(), "{text}");
            assert!(call.wait_until.is_none(), "{text}");
        }
    }

    #[wasm_bindgen_test]
    fn other_things_than_signals_and_functions_are_refused() {
        for (text, option) in [
            ("1", "options"),
            ("'signal'", "options"),
            ("({ signal: {} })", "signal"),
            ("({ signal: 1 })", "signal"),
            ("({ signal: { get aborted() { throw 1; } } })", "signal"),
            ("({ get signal() { throw 1; } })", "signal"),
            ("({ waitUntil: {} })", "waitUntil"),
        ] {
            let Err(error) = Call::read(&value(text)) else { panic!("accepted: {text}") };
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(&format!("`{option}`")), "{text}: {error}");
        }
    }

    #[wasm_bindgen_test]
    fn a_signal_ends_a_call_once_it_is_aborted() {
        let call =
            value("globalThis.leaving = new AbortController(); ({ signal: leaving.signal })");
        let call = Call::read(&call).unwrap();
        assert!(call.ended().is_none());
        value("globalThis.leaving.abort()");
        assert_eq!(call.ended().unwrap().kind(), ErrorKind::TimedOut);
    }

    #[wasm_bindgen_test]
    async fn promises_settle_with_the_value_or_a_real_error() {
        let fulfilled = JsFuture::from(promise(async { Ok(7.into()) })).await;
        assert_eq!(fulfilled.unwrap(), 7.0);
        let rejected = promise(async { Err(Error::new(ErrorKind::NotFound, "gone")) });
        let rejected = JsFuture::from(rejected).await.unwrap_err();
        assert!(rejected.is_instance_of::<js_sys::Error>());
        assert_eq!(Reflect::get(&rejected, &"kind".into()).unwrap(), "not_found");
    }

    #[wasm_bindgen_test]
    async fn work_starts_without_anybody_waiting_for_the_promise() {
        let started = Rc::new(Cell::new(false));
        let other = Rc::clone(&started);
        drop(promise(async move {
            other.set(true);
            Ok(JsValue::UNDEFINED)
        }));
        JsFuture::from(Promise::resolve(&JsValue::NULL)).await.unwrap();
        assert!(started.get());
    }
}
