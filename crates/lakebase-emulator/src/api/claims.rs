//! What a request for a credential may ask of Unity Catalog.

use serde_json::Value;

/// What is wrong with the field `claims`, if anything.
pub(super) fn check_claims(claims: Option<&Value>) -> Result<(), &'static str> {
    let claims = match claims {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(claims)) => claims,
        Some(_) => return Err("Field 'claims' must be a list"),
    };
    for claim in claims {
        if claim.get("permission_set").and_then(Value::as_str) != Some("READ_ONLY") {
            return Err("Field 'claims.permission_set' must be READ_ONLY");
        }
        let resources = claim.get("resources").and_then(Value::as_array);
        let named = |resource: &Value| resource.get("table_name").and_then(Value::as_str).is_some();
        if !resources.is_some_and(|resources| resources.iter().all(named)) {
            return Err("Field 'claims.resources' must be a list of tables by 'table_name'");
        }
    }
    Ok(())
}
