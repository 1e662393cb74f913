//! The operation and the resource of a request, so that faults find it.

use serde_json::Value;

use super::{database, postgres, services};
use crate::data_api;
use crate::fault::Operation;
use crate::request::{Request, form_value};
use crate::state::State;

pub(super) fn operation(state: &State, request: &Request) -> Operation {
    let path = request.path.as_str();
    match path {
        "/oidc/v1/token" => Operation::Token,
        _ if path == state.config.token_path => Operation::Token,
        "/api/2.0/postgres/credentials" => Operation::Credentials,
        database::CREDENTIALS => Operation::InstanceCredentials,
        database::LIST => Operation::InstanceList,
        database::FIND => Operation::InstanceGet,
        _ if database::named(path).is_some() => Operation::InstanceGet,
        "/api/2.0/preview/scim/v2/Me" => Operation::Me,
        _ if path.contains("/.well-known/") => Operation::Discovery,
        _ if data_api::is_path(path) => Operation::DataApi,
        _ if services::of(path).is_some() => Operation::TokenService,
        _ => match path.strip_prefix(postgres::PREFIX).map(|name| name.split('/').count()) {
            Some(1) => Operation::ProjectList,
            Some(3) => Operation::BranchList,
            Some(parts) if parts % 2 == 0 => Operation::EndpointGet,
            Some(_) => Operation::EndpointList,
            None => Operation::Any,
        },
    }
}

/// The text in which a fault's `only` is looked for: the path, and the names in the query or the body.
pub(super) fn resource(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let mut resource = request.path.clone();
    let mut add = |name: &str| resource.extend([" ", name]);
    body["endpoint"].as_str().map(&mut add);
    let instances = body["instance_names"].as_array().into_iter().flatten();
    instances.filter_map(Value::as_str).for_each(&mut add);
    form_value(&request.query, "uid").as_deref().map(&mut add);
    resource
}
