//! Options of one call, and values on their way to JavaScript.

use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::{Date, Object, Promise, Reflect};
use lakebase_core::{Error, ErrorKind, Result, Timestamp};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use super::error::thrown;
use super::options::get;
#[cfg(feature = "mint")]
use crate::Workspace;
use crate::settings::wrong;

/// What a caller says about one call.
#[derive(Default)]
pub(super) struct Call {
    pub(super) signal: Option<JsValue>,
    #[cfg(feature = "cache")]
    pub(super) wait_until: Option<js_sys::Function>,
}

impl Call {
    pub(super) fn read(options: &JsValue) -> Result<Rc<Self>> {
        let mut call = Self::default();
        if options.is_undefined() || options.is_null() {
            return Ok(Rc::new(call));
        }
        if !options.is_object() {
            return Err(wrong("options", "accepted: an object such as { signal }"));
        }
        call.signal = get(options, "signal")?;
        if call.signal.as_ref().is_some_and(|signal| aborted(signal).is_none()) {
            return Err(wrong("signal", "accepted: an AbortSignal"));
        }
        #[cfg(feature = "cache")]
        if let Some(given) = get(options, "waitUntil")? {
            let function = given.dyn_into::<js_sys::Function>();
            let bad = |_| wrong("waitUntil", "accepted: a function");
            call.wait_until = Some(function.map_err(bad)?);
        }
        Ok(Rc::new(call))
    }

    /// The error to end with once the caller's signal is aborted.
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
    /// Waits for `work` while the signal allows it.
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

/// Behind one type, because each other one would add kilobytes.
pub(super) fn settled(work: LocalBoxFuture<'static, Result<JsValue, JsValue>>) -> Promise {
    future_to_promise(work)
}

pub(super) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}

pub(super) fn date(moment: Timestamp) -> JsValue {
    #[expect(clippy::cast_precision_loss, reason = "a date in milliseconds")]
    let millis = moment.as_unix_millis() as f64;
    Date::new(&millis.into()).into()
}
