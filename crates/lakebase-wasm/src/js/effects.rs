//! `fetch`, `Date` and `setTimeout` as effects.

use std::sync::Arc;
use std::time::Duration;

use js_sys::{ArrayBuffer, Function, Promise, Reflect, Uint8Array};
use lakebase_core::{BoxFuture, Clock, Error, ErrorKind, Result, Secret, Timer, Timestamp};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::Effects;
use crate::json::quote;
use crate::settings::millis;
use crate::wire::{Fetch, Reply, Request};

/// The largest reply that is read.
const MAX_BODY: u32 = 4 * 1024 * 1024;
const USER_AGENT: &str = concat!("lakebase-wasm/", env!("CARGO_PKG_VERSION"));

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch, catch)]
    fn fetch(url: &str, init: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_name = setTimeout, catch)]
    fn set_timeout(callback: &Function, millis: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = clearTimeout, catch)]
    fn clear_timeout(timer: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(js_namespace = performance, js_name = now, catch)]
    fn performance_now() -> Result<f64, JsValue>;

    type AbortController;
    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<AbortController, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn signal(this: &AbortController) -> JsValue;
    #[wasm_bindgen(method, catch)]
    fn abort(this: &AbortController) -> Result<(), JsValue>;

    type Response;
    #[wasm_bindgen(method, getter)]
    fn status(this: &Response) -> f64;
    #[wasm_bindgen(method, getter, js_name = type)]
    fn kind(this: &Response) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn headers(this: &Response) -> Headers;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    fn array_buffer(this: &Response) -> Result<Promise, JsValue>;

    type Headers;
    #[wasm_bindgen(method, catch)]
    fn get(this: &Headers, name: &str) -> Result<Option<String>, JsValue>;
}

impl Effects {
    /// The effects of the JavaScript engine: `fetch`, `Date`, `performance` and `setTimeout` of the global scope.
    #[must_use]
    pub fn javascript() -> Self {
        Self {
            http: Arc::new(GlobalFetch),
            clock: Arc::new(DateClock),
            timer: Arc::new(Timeout),
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

/// `setTimeout`.
#[derive(Debug)]
struct Timeout;

impl Timer for Timeout {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut alarm = Alarm { timer: JsValue::UNDEFINED, resolve: None };
            let promise = Promise::new(&mut |resolve, _| {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of a time-out")]
                let millis = millis(duration) as f64;
                match set_timeout(&resolve, millis) {
                    Ok(timer) => alarm.timer = timer,
                    // Refused at module scope: better not to wait than to wait for ever.
                    Err(_) => drop(resolve.call0(&JsValue::UNDEFINED)),
                }
                alarm.resolve = Some(resolve);
            });
            let _ = JsFuture::from(promise).await;
            drop(alarm);
        })
    }
}

/// Stops the timer and settles its promise, which frees what waits for it.
struct Alarm {
    timer: JsValue,
    resolve: Option<Function>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let _ = clear_timeout(&self.timer);
        if let Some(resolve) = &self.resolve {
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    }
}

/// The global `fetch`.
#[derive(Debug)]
struct GlobalFetch;

/// Aborts the request when it is dropped before its end: making the reason for an abort takes engines a while.
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
        Box::pin(async move {
            let result = send(&request).await;
            // What the engine throws is dropped except for its name: it might quote headers.
            result.map_err(|thrown| {
                let place = request.url.split('/').nth(2).unwrap_or_default();
                let text = format!("could not reach {place} ({})", name_of(&thrown));
                Error::new(ErrorKind::Unavailable, text)
            })
        })
    }
}

async fn send(request: &Request) -> Result<Reply, JsValue> {
    let mut abort = Abort { controller: AbortController::new()?, ended: false };
    let init = init(request, &abort.controller.signal())?;
    let reply = JsFuture::from(fetch(&request.url, &init)?).await?;
    let reply: Response = reply.unchecked_into();
    if reply.kind().as_string().is_some_and(|kind| kind == "opaqueredirect") {
        // A browser hides everything else about it.
        return Ok(Reply { status: 302, ..Reply::default() });
    }
    let buffer: ArrayBuffer = JsFuture::from(reply.array_buffer()?).await?.unchecked_into();
    if buffer.byte_length() > MAX_BODY {
        return Err(js_sys::RangeError::new("").into());
    }
    abort.ended = true;
    let headers = reply.headers();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let status = reply.status() as u16;
    Ok(Reply {
        status,
        date: headers.get("date")?,
        retry_after: if status < 400 { None } else { headers.get("retry-after")? },
        body: Uint8Array::new(&buffer).to_vec(),
    })
}

/// What `fetch` is told. Redirects are never followed, so that no secret reaches another place.
///
/// Written as JSON, because each value that is handed over alone takes two calls of the engine.
fn init(request: &Request, signal: &JsValue) -> Result<JsValue, JsValue> {
    let mut init = String::from("{\"redirect\":\"manual\",\"method\":");
    quote(&mut init, request.method);
    if is_browser() {
        // It has its own name, and cookies that must not be sent along.
        init.push_str(",\"credentials\":\"omit\",\"headers\":{");
    } else {
        init.push_str(",\"headers\":{\"user-agent\":\"");
        init.push_str(USER_AGENT);
        init.push_str("\",");
    }
    init.push_str("\"accept\":\"application/json\",\"authorization\":");
    quote(&mut init, request.authorization.expose());
    if let Some(id) = &request.workspace_id {
        init.push_str(",\"x-databricks-workspace-id\":");
        quote(&mut init, id);
    }
    if request.body.is_empty() {
        init.push('}');
    } else {
        init.push_str(",\"content-type\":");
        quote(&mut init, request.content_type);
        init.push_str("},\"body\":");
        quote(&mut init, &request.body);
    }
    init.push('}');
    let init = Secret::new(init);
    let parsed = js_sys::JSON::parse(init.expose())?;
    Reflect::set(&parsed, &"signal".into(), signal)?;
    Ok(parsed)
}

fn is_browser() -> bool {
    user_agent().is_some_and(|agent| agent.starts_with("Mozilla/"))
}

fn user_agent() -> Option<String> {
    let navigator = property(&js_sys::global(), "navigator")?;
    property(&navigator, "userAgent")?.as_string()
}

fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into())
        .ok()
        .filter(|value| !value.is_undefined() && !value.is_null())
}

/// The name of what was thrown, such as `TypeError`.
fn name_of(thrown: &JsValue) -> String {
    let name = property(thrown, "name").and_then(|name| name.as_string());
    let name =
        name.filter(|name| name.len() < 40 && name.bytes().all(|b| b.is_ascii_alphanumeric()));
    name.unwrap_or_else(|| "no reason given".to_owned())
}

#[cfg(test)]
#[path = "effects_tests.rs"]
mod tests;
