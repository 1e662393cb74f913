//! The class that caches. `npm/index.d.ts` documents it for JavaScript.

use futures::future::LocalBoxFuture;
use js_sys::Promise;
use lakebase_core::{Error, Result};
use wasm_bindgen::prelude::*;

use super::call::{Call, promise, settled};
use super::error::thrown;
use super::options::settings;
use super::values::{date, login};
use crate::{Credentials, Effects, Login, WaitOptions};

/// Cached credentials of one workspace, identity and endpoint.
#[wasm_bindgen]
#[derive(Debug)]
pub struct LakebaseCredentials {
    credentials: Credentials,
}

#[wasm_bindgen]
impl LakebaseCredentials {
    /// Checks the options; sends nothing.
    ///
    /// # Errors
    ///
    /// An `Error` with `kind: "config"` that names the option.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &JsValue) -> Result<Self, JsValue> {
        let credentials = settings(options)
            .and_then(|settings| Credentials::new(settings, Effects::javascript()))
            .map_err(|error| thrown(&error))?;
        Ok(Self { credentials })
    }

    /// A login with a token that has not expired.
    pub fn credential(&self, call: &JsValue) -> Promise {
        credential(self.cloned(), call)
    }

    /// The same as a URL.
    #[wasm_bindgen(js_name = connectionString)]
    pub fn connection_string(&self, call: &JsValue) -> Promise {
        show(self.cloned(), call, |login| login.connection_string().expose().into())
    }

    /// Drops the token if it is the current one.
    pub fn invalidate(&self, token: &JsValue) {
        if let Some(token) = token.as_string() {
            self.credentials.invalidate(&token);
        }
    }

    /// An OAuth token of the workspace.
    #[wasm_bindgen(js_name = workspaceToken)]
    pub fn workspace_token(&self, call: &JsValue) -> Promise {
        wait(self.cloned(), call, |credentials, options| {
            Box::pin(async move {
                let token = credentials.workspace_token(options).await?;
                Ok(token.expose().into())
            })
        })
    }

    fn cloned(&self) -> Result<Credentials> {
        Ok(self.credentials.clone())
    }
}

/// A login with a token that has not expired, as an object.
pub(super) fn credential(credentials: Result<Credentials>, call: &JsValue) -> Promise {
    show(credentials, call, |given| {
        let (token, expires_at) = (given.token().expose(), date(given.expires_at()));
        login(&given.user, token, expires_at, &given.host, Login::PORT, &given.database).into()
    })
}

fn show(credentials: Result<Credentials>, call: &JsValue, show: fn(&Login) -> JsValue) -> Promise {
    wait(credentials, call, move |credentials, options| {
        Box::pin(async move { credentials.get_with(options).await.map(|login| show(&login)) })
    })
}

/// Waits for `work` by the options of the call.
fn wait<W>(credentials: Result<Credentials>, call: &JsValue, work: W) -> Promise
where
    W: for<'a> FnOnce(&'a Credentials, WaitOptions<'a>) -> LocalBoxFuture<'a, Result<JsValue>>
        + 'static,
{
    let call = Call::read(call);
    promise(async move {
        let (credentials, call) = (credentials?, call?);
        let ended = || call.ended();
        let background = |work: LocalBoxFuture<'static, ()>| {
            let promise = settled(Box::pin(async move {
                let () = work.await;
                Ok(JsValue::UNDEFINED)
            }));
            if let Some(wait_until) = &call.wait_until {
                let _ = wait_until.call1(&JsValue::UNDEFINED, &promise);
            }
        };
        let options = WaitOptions {
            ended: call.signal.is_some().then_some(&ended as &dyn Fn() -> Option<Error>),
            background: call.wait_until.is_some().then_some(&background),
        };
        work(&credentials, options).await
    })
}
