//! A mint without requests, for engines that compile a function at its first call.
//!
//! Workers start long before their first request, so that request does not wait for the compiler.

use std::sync::Arc;
use std::time::Duration;

use js_sys::Promise;
use lakebase_core::{BoxFuture, Clock, Timer, Timestamp};
use wasm_bindgen::prelude::*;

use super::effects::{GlobalFetch, Timeout};
#[cfg(feature = "cache")]
use crate::Credentials;
use crate::Effects;

/// Makes the same calls as a mint with `options`, but sends nothing and reads no clock.
///
/// Called by `npm/workerd.js`; not a part of the package's interface.
#[expect(unreachable_pub, reason = "exported to JavaScript, not to Rust")]
#[wasm_bindgen]
pub fn rehearse(options: &JsValue) -> Promise {
    #[cfg(feature = "cache")]
    {
        let settings = super::options::settings(options);
        let credentials = settings.and_then(|settings| Credentials::new(settings, effects()));
        super::cache::credential(credentials, &JsValue::UNDEFINED)
    }
    #[cfg(not(feature = "cache"))]
    super::mint::mint(options, effects())
}

fn effects() -> Effects {
    Effects {
        http: Arc::new(GlobalFetch { rehearsal: true }),
        clock: Arc::new(Stopped),
        timer: Arc::new(Stopped),
        deadline: Arc::new(Stopped),
        detach: None,
    }
}

/// A stopped clock, and a timer that never fires.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_millis(0)
    }
}

impl Timer for Stopped {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Timeout { keeps_alive: false }.sleep(Duration::MAX)
    }
}
