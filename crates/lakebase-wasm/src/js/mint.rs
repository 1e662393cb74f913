//! The function that mints once. `npm/index.d.ts` documents it for JavaScript.

use js_sys::Promise;
use lakebase_core::CredentialSource;
use wasm_bindgen::prelude::*;

use super::call::{Call, promise};
use super::options::settings;
use super::values::{date, minted};
use crate::{Effects, Workspace};

/// Mints one credential, without a cache.
#[wasm_bindgen(js_name = mintDatabaseCredential)]
pub fn mint_database_credential(options: &JsValue) -> Promise {
    mint(options, Effects::javascript())
}

pub(super) fn mint(options: &JsValue, effects: Effects) -> Promise {
    let read = settings(options).and_then(|settings| Ok((settings, Call::read(options)?)));
    promise(async move {
        let (settings, call) = read?;
        let workspace = Workspace::new(settings, effects)?;
        let work = workspace.in_time(Box::pin(async {
            let (endpoint, _) = workspace.endpoint().await?;
            let credential = workspace.fetch(&workspace.settings.request(endpoint.clone())).await?;
            Ok((endpoint, credential))
        }));
        let (endpoint, credential) = call.unless_ended(&workspace, work).await?;
        let user = workspace.settings.user.as_ref();
        let user = user.or(workspace.settings.identity.client_id()).map(|user| &**user);
        let (token, expires_at) = (credential.token.expose(), date(credential.expires_at));
        Ok(minted(token, expires_at, endpoint.as_str(), user).into())
    })
}
