//! The current user (`GET /api/2.0/preview/scim/v2/Me`).

use serde_json::json;

use super::reply::Reply;
use crate::state::State;

/// `userName` is the e-mail of a user and the application id of a service principal; both name the Postgres role.
pub(super) fn me(state: &State, identity: &str) -> Reply {
    let service_principal =
        state.identities.iter().any(|known| known.name == identity && known.service_principal);
    let mut me = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "4711",
        "userName": identity,
        "displayName": if service_principal { "emulator-app" } else { "Emulator User" },
        "active": true,
        "groups": [],
    });
    if !service_principal && let Some(fields) = me.as_object_mut() {
        let email = json!([{"type": "work", "value": identity, "primary": true}]);
        fields.insert("emails".to_owned(), email);
    }
    Reply::ok(me)
}
