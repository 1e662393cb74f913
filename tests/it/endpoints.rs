//! Which endpoint of a branch is taken, whatever the service's list looks like.

use lakebase::core::{Access, EndpointState, EndpointType};
use lakebase::sqlx::Connection as _;
use lakebase_emulator::{Effect, EndpointKind, Fault, Operation};

use crate::support::{Setup, endpoint, shared};

on_each_runtime! { by_type_over_all_pages unknown_kinds_and_fields missing_fields }

async fn by_type_over_all_pages() {
    let emulator = shared();
    let (name, _) = endpoint(emulator);
    // Another branch of the same project.
    let project = name.split('/').nth(1).unwrap();
    let branch = format!("projects/{project}/branches/wide");
    let kinds = [EndpointKind::ReadOnly, EndpointKind::Unknown, EndpointKind::ReadOnly];
    for (number, kind) in kinds.into_iter().cycle().take(9).enumerate() {
        emulator.add_endpoint(&format!("{branch}/endpoints/a{number}"), kind).unwrap();
    }
    emulator.add_endpoint(&format!("{branch}/endpoints/last"), EndpointKind::ReadWrite).unwrap();

    let setup = Setup::m2m(emulator).branch(project, "wide");
    let lakebase = setup.build();
    let chosen = lakebase.endpoint().await.unwrap().unwrap();
    assert_eq!(chosen.name.id(), "last");
    assert_eq!(chosen.endpoint_type, EndpointType::ReadWrite);
    let pages = emulator.requests().iter().filter(|r| r.path.contains(&branch)).count();
    assert_eq!(pages, 10);
    lakebase.connect().await.unwrap().close().await.unwrap();

    let lakebase = setup.builder().access(Access::ReadOnly).build().unwrap();
    let chosen = lakebase.endpoint().await.unwrap().unwrap();
    assert_eq!(chosen.endpoint_type, EndpointType::ReadOnly);
    lakebase.connect().await.unwrap().close().await.unwrap();
}

async fn unknown_kinds_and_fields() {
    // Every reply of the emulator holds a field of no SDK; this endpoint's type and state are new as well.
    let name = "projects/demo/branches/dev/endpoints/traveller";
    let lakebase = Setup::m2m(shared()).endpoint(name).build();
    let endpoint = lakebase.endpoint().await.unwrap().unwrap();
    assert_eq!(endpoint.endpoint_type, EndpointType::Unknown("TIME_TRAVEL".into()));
    assert_eq!(endpoint.state, EndpointState::Unknown("HIBERNATING".into()));
    lakebase.connect().await.unwrap().close().await.unwrap();
    // By type it is never chosen.
    let lakebase = Setup::m2m(shared()).branch("demo", "dev").build();
    assert_eq!(lakebase.endpoint().await.unwrap().unwrap().name.id(), "sleepy");
}

async fn missing_fields() {
    // The service sends no `spec` at all; without the parent and the times an endpoint still is one.
    let (name, _) = endpoint(shared());
    for field in ["parent", "uid", "create_time", "update_time", "spec"] {
        let effect = Effect::Omit { field: field.to_owned() };
        shared().inject(Fault::new(Operation::EndpointGet, effect).only(&name));
    }
    Setup::m2m(shared()).endpoint(&name).build().connect().await.unwrap().close().await.unwrap();
}
