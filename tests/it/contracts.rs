//! The workspace's client and the drivers' factories keep the contracts of the traits that they implement.

use lakebase::core::ConnectParams;
use lakebase::core::{ConnectionFactory, EndpointName, Runtime, Target};
use lakebase_sqlx::SqlxFactory;
use lakebase_testkit::conformance::login;
use lakebase_tokio_postgres::TokioPostgresFactory;

use crate::support::{Setup, shared};

on_each_runtime! { the_workspace sqlx tokio_postgres }

fn unknown() -> EndpointName {
    "projects/demo/branches/production/endpoints/nobody".parse().unwrap()
}

async fn the_workspace() {
    let emulator = shared();
    let it = emulator.description();
    let branch: Target = format!("projects/{}/branches/{}", it.project, it.branch).parse().unwrap();
    let read_only: EndpointName = it.read_only_endpoint.parse().unwrap();
    for (setup, user) in [(Setup::m2m(emulator), &it.client_id), (Setup::pat(emulator), &it.user)] {
        let lakebase = setup.build();
        let timer = &*lakebase.connector().runtime().timer;
        let client = lakebase.workspace().unwrap();
        let known = it.endpoint.parse().unwrap();
        login::credential_source(client, timer, &known, &unknown()).await;
        login::endpoint_resolver(client, timer, &branch, &read_only, &unknown()).await;
        login::user_resolver(client, timer, user).await;
    }
}

async fn sqlx() {
    logs_in(SqlxFactory::new).await;
}

async fn tokio_postgres() {
    logs_in(TokioPostgresFactory::new).await;
}

async fn logs_in<F: ConnectionFactory>(factory: impl FnOnce(&Runtime) -> F) {
    let emulator = shared();
    // With a native password, which the server checks like any other.
    let lakebase = Setup::password(emulator).build();
    let runtime = lakebase.connector().runtime();
    let params = lakebase.connector().login().await.unwrap().params;
    assert!(!params.addresses.is_empty(), "only direct DNS knows the emulator's names");
    let params: &ConnectParams = &params;
    let factory = factory(runtime);
    login::connection_factory(&factory, &*runtime.timer, params, "db.example.com").await;
}
