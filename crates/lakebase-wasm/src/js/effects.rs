//! `fetch`, `Date`, `setTimeout` and `AbortSignal.timeout` as effects.

use std::sync::Arc;
use std::time::Duration;

use js_sys::{Array, Promise, Reflect, Uint8Array};
use lakebase_core::{BoxFuture, Clock, Error, ErrorKind, Result, Timer, Timestamp};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::Effects;
use crate::settings::millis;
use crate::wire::{Fetch, Reply, Request};

const USER_AGENT: &str = concat!("lakebase-wasm/", env!("CARGO_PKG_VERSION"));

#[wasm_bindgen(module = "/src/js/engine.js")]
extern "C" {
    fn send(
        rehearsal: bool,
        controller: &AbortController,
        user_agent: &str,
        method: &str,
        url: &str,
        authorization: &str,
        workspace_id: Option<&str>,
        content_type: &str,
        body: &str,
    ) -> Promise;

    #[wasm_bindgen(extends = Promise)]
    type Alarm;
    fn alarm(millis: f64, keeps_alive: bool) -> Alarm;
    #[wasm_bindgen(method)]
    fn stop(this: &Alarm);
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now, catch)]
    fn performance_now() -> Result<f64, JsValue>;

    type AbortController;
    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<AbortController, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn abort(this: &AbortController) -> Result<(), JsValue>;
}

impl Effects {
    /// The effects of the JavaScript engine: `fetch`, `Date`, `performance`, `setTimeout` and `AbortSignal.timeout` of the
    /// global scope.
    #[must_use]
    pub fn javascript() -> Self {
        Self {
            http: Arc::new(GlobalFetch { rehearsal: false }),
            clock: Arc::new(DateClock),
            timer: Arc::new(Timeout { keeps_alive: true }),
            deadline: Arc::new(Timeout { keeps_alive: false }),
            detach: Some(spawn_local),
        }
    }
}

/// `Date.now()`, and `performance.now()` where there is one.
#[derive(Debug)]
struct DateClock;

impl Clock for DateClock {
    fn monotonic(&self) -> Duration {
        let millis = performance_now().unwrap_or_else(|_| js_sys::Date::now());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        Duration::from_micros((millis * 1000.0) as u64)
    }

    fn wall(&self) -> Timestamp {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and dates are far from that"
        )]
        Timestamp::from_unix_millis(js_sys::Date::now() as i64)
    }
}

/// `setTimeout`, or `AbortSignal.timeout`.
#[derive(Debug)]
pub(super) struct Timeout {
    /// Whether the timer keeps the program alive.
    pub(super) keeps_alive: bool,
}

impl Timer for Timeout {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let keeps_alive = self.keeps_alive;
        Box::pin(async move {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a time-out")]
            let alarm = Stop(alarm(millis(duration) as f64, keeps_alive));
            let _ = JsFuture::from(Promise::clone(&alarm.0)).await;
        })
    }
}

/// Stops the timer and settles its promise, which frees what waits for it.
struct Stop(Alarm);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The global `fetch`.
#[derive(Debug)]
pub(super) struct GlobalFetch {
    /// Builds the request and sends nothing.
    pub(super) rehearsal: bool,
}

/// Aborts the request if it is dropped before its end. Only then: engines are slow to make the reason of an abort.
struct Abort {
    controller: AbortController,
    ended: bool,
}

impl Drop for Abort {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.controller.abort();
        }
    }
}

impl Fetch for GlobalFetch {
    fn fetch(&self, request: Request) -> BoxFuture<'static, Result<Reply>> {
        let rehearsal = self.rehearsal;
        Box::pin(async move {
            let result = ask(rehearsal, &request).await;
            // Only the name of the exception is kept: its message might quote headers.
            result.map_err(|thrown| {
                let place = request.url.split('/').nth(2).unwrap_or_default();
                let text = format!("could not reach {place} ({})", name_of(&thrown));
                Error::new(ErrorKind::Unavailable, text)
            })
        })
    }
}

async fn ask(rehearsal: bool, request: &Request) -> Result<Reply, JsValue> {
    let mut abort = Abort { controller: AbortController::new()?, ended: false };
    let reply = send(
        rehearsal,
        &abort.controller,
        USER_AGENT,
        request.method,
        &request.url,
        request.authorization.expose(),
        request.workspace_id.as_deref(),
        request.content_type,
        &request.body,
    );
    let reply: Array = JsFuture::from(reply).await?.unchecked_into();
    abort.ended = true;
    let [status, date, retry_after, body] = [0, 1, 2, 3].map(|index| reply.get(index));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let status = status.as_f64().unwrap_or_default() as u16;
    let body = body.unchecked_into::<Uint8Array>().to_vec();
    Ok(Reply { status, date: date.as_string(), retry_after: retry_after.as_string(), body })
}

/// The name of what was thrown, such as `TypeError`.
fn name_of(thrown: &JsValue) -> String {
    let name = Reflect::get(thrown, &"name".into()).ok().and_then(|name| name.as_string());
    let name =
        name.filter(|name| name.len() < 40 && name.bytes().all(|b| b.is_ascii_alphanumeric()));
    name.unwrap_or_else(|| "no reason given".to_owned())
}

#[cfg(test)]
#[path = "effects_tests.rs"]
mod tests;
