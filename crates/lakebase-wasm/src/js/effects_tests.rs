//! The engine's own effects, inside the engine. Globals are replaced for a moment; tests run one after the other.

use std::cell::Cell;
use std::rc::Rc;

use futures::FutureExt;
use lakebase_core::Secret;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

const WAITING: Timeout = Timeout { keeps_alive: true };
const DEADLINE: Timeout = Timeout { keeps_alive: false };

/// Another value for a global, until it is dropped.
struct Replaced {
    name: &'static str,
    before: JsValue,
}

impl Replaced {
    fn new(name: &'static str, by: &JsValue) -> Self {
        let before = Reflect::get(&js_sys::global(), &name.into()).unwrap();
        Reflect::set(&js_sys::global(), &name.into(), by).unwrap();
        Self { name, before }
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        Reflect::set(&js_sys::global(), &self.name.into(), &self.before).unwrap();
    }
}

fn script(text: &str) -> JsValue {
    js_sys::eval(text).unwrap()
}

fn request() -> Request {
    Request {
        method: "POST",
        url: "https://w.example/path?q=1".to_owned(),
        authorization: Secret::new("Bearer dapi-secret"),
        workspace_id: Some("12".into()),
        content_type: "application/json",
        body: "{}".to_owned(),
    }
}

fn failure<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("it worked"),
        Err(error) => error,
    }
}

#[wasm_bindgen_test]
fn the_clock_is_that_of_date_and_of_performance() {
    let clock = DateClock;
    let (before, wall, after) = (js_sys::Date::now(), clock.wall(), js_sys::Date::now());
    let wall = wall.as_unix_millis() as f64;
    assert!((before..=after).contains(&wall), "{before} {wall} {after}");
    let (first, second) = (clock.monotonic(), clock.monotonic());
    assert!(first <= second && first.as_micros() > 0);
}

#[wasm_bindgen_test]
fn without_performance_the_clock_goes_by_date() {
    let _gone = Replaced::new("performance", &JsValue::UNDEFINED);
    let since_1970 = DateClock.monotonic();
    assert!(since_1970 > Duration::from_secs(1_700_000_000), "{since_1970:?}");
}

#[wasm_bindgen_test]
async fn a_timer_asks_for_its_milliseconds_and_ends() {
    let calls = script("globalThis.asked = []; globalThis.asked");
    let fake =
        script("((call, millis) => { asked.push(millis); queueMicrotask(call); return 7; })");
    let _fake = Replaced::new("setTimeout", &fake);
    WAITING.sleep(Duration::from_micros(1_500_900)).await;
    assert_eq!(js_sys::JSON::stringify(&calls).unwrap(), "[1500]");
    let _old = Replaced::new("AbortSignal", &script("({})"));
    DEADLINE.sleep(Duration::from_millis(2)).await;
    assert_eq!(js_sys::JSON::stringify(&calls).unwrap(), "[1500,2]", "an engine without time-outs");
}

#[wasm_bindgen_test]
fn a_timer_for_ever_asks_for_nothing_and_does_not_end() {
    let asked = script("(() => { throw 'asked'; })");
    let _fake = Replaced::new("setTimeout", &asked);
    let _fake = Replaced::new("AbortSignal", &script("({ timeout() { throw 'asked'; } })"));
    for timer in [WAITING, DEADLINE] {
        assert!(timer.sleep(Duration::MAX).now_or_never().is_none());
    }
}

#[wasm_bindgen_test]
fn a_dropped_timer_is_stopped() {
    let stopped = script("globalThis.stopped = []; globalThis.stopped");
    let _fake = Replaced::new("setTimeout", &script("(() => 11)"));
    let _clear = Replaced::new("clearTimeout", &script("((timer) => { stopped.push(timer); })"));
    let mut sleep = WAITING.sleep(Duration::from_secs(3600));
    assert!(sleep.as_mut().now_or_never().is_none());
    assert_eq!(js_sys::JSON::stringify(&stopped).unwrap(), "[]");
    drop(sleep);
    assert_eq!(js_sys::JSON::stringify(&stopped).unwrap(), "[11]");
}

/// An `AbortSignal` whose signal of a time-out is `globalThis.signal`.
fn fake_signal() -> Replaced {
    let fake = "({ timeout(millis) { return (globalThis.signal = { millis, onabort: null }); } })";
    Replaced::new("AbortSignal", &script(fake))
}

#[wasm_bindgen_test]
async fn a_deadline_is_a_signal_that_is_aborted() {
    let _fake = fake_signal();
    let mut sleep = DEADLINE.sleep(Duration::from_micros(1_500_900));
    assert!(sleep.as_mut().now_or_never().is_none());
    assert_eq!(script("signal.millis"), 1500.0);
    script("signal.onabort()");
    sleep.await;
}

#[wasm_bindgen_test]
fn a_dropped_deadline_does_not_listen() {
    let _fake = fake_signal();
    let mut sleep = DEADLINE.sleep(Duration::from_secs(3600));
    assert!(sleep.as_mut().now_or_never().is_none());
    assert!(script("signal.onabort").is_function());
    drop(sleep);
    assert!(script("signal.onabort").is_null());
}

#[wasm_bindgen_test]
async fn where_timers_are_refused_nobody_waits_for_ever() {
    let refuse = script("(() => { throw new Error('global scope'); })");
    let _fake = Replaced::new("setTimeout", &refuse);
    WAITING.sleep(Duration::from_secs(3600)).await;
    let refuse = script("({ timeout() { throw new Error('global scope'); } })");
    let _fake = Replaced::new("AbortSignal", &refuse);
    DEADLINE.sleep(Duration::from_secs(3600)).await;
}

#[wasm_bindgen_test]
async fn requests_follow_no_redirect_and_carry_what_they_should() {
    let fake = script(
        "((url, init) => { globalThis.sent = [url, { ...init, signal: init.signal instanceof AbortSignal }]; \
         return Promise.resolve(new Response('{\"a\":1}', { status: 429, headers: { date: 'D', 'retry-after': '7' } })); })",
    );
    let _fake = Replaced::new("fetch", &fake);
    let reply = GlobalFetch { rehearsal: false }.fetch(request()).await.unwrap();
    assert_eq!((reply.status, &*reply.body), (429, &br#"{"a":1}"#[..]));
    assert_eq!((reply.date.as_deref(), reply.retry_after.as_deref()), (Some("D"), Some("7")));
    let sent = js_sys::JSON::stringify(&script("globalThis.sent")).unwrap();
    let headers = format!(
        r#"{{"accept":"application/json","authorization":"Bearer dapi-secret","user-agent":"{USER_AGENT}","x-databricks-workspace-id":"12","content-type":"application/json"}}"#
    );
    let init = format!(
        r#"{{"method":"POST","headers":{headers},"redirect":"manual","signal":true,"body":"{{}}"}}"#
    );
    assert_eq!(sent, format!(r#"["https://w.example/path?q=1",{init}]"#));
}

#[wasm_bindgen_test]
async fn requests_without_a_body_say_nothing_of_one() {
    let fake = script(
        "((url, init) => { globalThis.sent = init; return Promise.resolve(new Response('{}')); })",
    );
    let _fake = Replaced::new("fetch", &fake);
    let request = Request { method: "GET", body: String::new(), workspace_id: None, ..request() };
    GlobalFetch { rehearsal: false }.fetch(request).await.unwrap();
    let names = script("Object.keys(sent).concat(Object.keys(sent.headers)).join()");
    assert_eq!(names, "method,headers,redirect,signal,accept,authorization,user-agent");
}

#[wasm_bindgen_test]
async fn browsers_send_no_cookies_and_their_own_name() {
    let fake = script(
        "((url, init) => { globalThis.sent = init; return Promise.resolve({ type: 'opaqueredirect' }); })",
    );
    let _fake = Replaced::new("fetch", &fake);
    let _browser = Replaced::new("navigator", &script("({ userAgent: 'Mozilla/5.0' })"));
    let reply = GlobalFetch { rehearsal: false }.fetch(request()).await.unwrap();
    assert_eq!((reply.status, reply.body.len()), (302, 0), "a redirect that the browser hides");
    assert_eq!(script("[sent.credentials, 'user-agent' in sent.headers].join()"), "omit,false");
}

#[wasm_bindgen_test]
async fn what_fetch_throws_is_told_by_its_name_only() {
    for (thrown, told) in [
        ("new TypeError('Bearer dapi-secret')", "(TypeError)"),
        ("'Bearer dapi-secret'", "(no reason given)"),
        ("({ name: 'Bearer dapi-secret' })", "(no reason given)"),
        ("undefined", "(no reason given)"),
    ] {
        for way in ["throw thrown", "return Promise.reject(thrown)"] {
            let fake = script(&format!("(() => {{ const thrown = {thrown}; {way}; }})"));
            let _fake = Replaced::new("fetch", &fake);
            let error = failure(GlobalFetch { rehearsal: false }.fetch(request()).await);
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert_eq!(error.to_string(), format!("could not reach w.example {told}"));
        }
    }
}

#[wasm_bindgen_test]
async fn a_reply_that_is_too_large_is_refused() {
    let fake = script("(() => Promise.resolve(new Response(new Uint8Array(4 * 1024 * 1024 + 1))))");
    let _fake = Replaced::new("fetch", &fake);
    let error = failure(GlobalFetch { rehearsal: false }.fetch(request()).await);
    assert_eq!(error.to_string(), "could not reach w.example (RangeError)");
}

#[wasm_bindgen_test]
async fn a_dropped_request_is_aborted() {
    let fake = script(
        "((url, { signal }) => { globalThis.aborted = () => signal.aborted; return new Promise(() => {}); })",
    );
    let _fake = Replaced::new("fetch", &fake);
    let mut pending = GlobalFetch { rehearsal: false }.fetch(request());
    assert!(pending.as_mut().now_or_never().is_none());
    assert_eq!(script("globalThis.aborted()"), false);
    drop(pending);
    assert_eq!(script("globalThis.aborted()"), true);
}

#[wasm_bindgen_test]
async fn a_request_that_ended_is_not_aborted() {
    let fake = script(
        "((url, { signal }) => { globalThis.aborted = () => signal.aborted; return Promise.resolve(new Response('{}')); })",
    );
    let _fake = Replaced::new("fetch", &fake);
    GlobalFetch { rehearsal: false }.fetch(request()).await.unwrap();
    assert_eq!(script("globalThis.aborted()"), false);
}

#[wasm_bindgen_test]
async fn detached_work_goes_on() {
    let done = Rc::new(Cell::new(false));
    let (effects, other) = (Effects::javascript(), Rc::clone(&done));
    effects.detach.unwrap()(Box::pin(async move { other.set(true) }));
    assert!(!done.get());
    effects.timer.sleep(Duration::ZERO).await;
    assert!(done.get());
}
