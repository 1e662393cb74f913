//! The function that mints once; documented for JavaScript in `npm/index.d.ts`.

use js_sys::Promise;
use lakebase_core::CredentialSource;
use wasm_bindgen::prelude::*;

use super::call::{Call, date, object, promise};
use super::options::settings;
use crate::{Effects, Identity, Workspace};

/// Mints one credential and keeps nothing.
#[wasm_bindgen(js_name = mintDatabaseCredential)]
pub fn mint_database_credential(options: &JsValue) -> Promise {
    let read = settings(options).and_then(|settings| Ok((settings, Call::read(options)?)));
    promise(async move {
        let (settings, call) = read?;
        let workspace = Workspace::new(settings, Effects::javascript())?;
        let minted = workspace.in_time(Box::pin(async {
            let (endpoint, _) = workspace.endpoint().await?;
            let credential = workspace.fetch(&workspace.settings.request(endpoint.clone())).await?;
            Ok((endpoint, credential))
        }));
        let (endpoint, credential) = call.unless_ended(&workspace, minted).await?;
        let user = match &workspace.settings.identity {
            _ if workspace.settings.user.is_some() => workspace.settings.user.as_deref(),
            Identity::ServicePrincipal { client_id, .. } => Some(&**client_id),
            _ => None,
        };
        let mut fields = vec![
            ("token", credential.token.expose().into()),
            ("expiresAt", date(credential.expires_at)),
            ("endpoint", endpoint.as_str().into()),
        ];
        if let Some(user) = user {
            fields.push(("user", user.into()));
        }
        Ok(object(&fields))
    })
}
