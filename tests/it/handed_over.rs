//! What Databricks hands to its users (an environment, a host, a connection string) works as it is.

use std::time::Duration;

use lakebase::core::Target;
use lakebase::sqlx::{Connection as _, query_as};
use lakebase::{Access, ErrorKind, Lakebase};
use lakebase_emulator::{Effect, Emulator, EndpointKind, Fault, Operation, sequential_hops};
use lakebase_testkit::assert_error;

use crate::support::{Setup, endpoint, endpoint_name, shared};

on_each_runtime! {
    environment_of_an_app host_alone host_of_a_replica host_in_a_url host_that_no_endpoint_has
    weak_modes_with_passwords provisioned_instance names_of_templates last_resort identity_is_missing
}

/// The user and the database of one login, which is verified by the emulator's certificate.
async fn log_in(lakebase: &Lakebase) -> (String, String) {
    let mut connection = lakebase.connect().await.unwrap();
    let both = query_as("select current_user::text, current_database()::text");
    let both = both.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    both
}

/// The last parts of the paths that were asked for, sorted.
fn asked(emulator: &Emulator) -> Vec<String> {
    let last = |path: String| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut asked: Vec<String> = emulator.requests().into_iter().map(|r| last(r.path)).collect();
    asked.sort_unstable();
    asked
}

/// As the service principal, with nothing that says what to connect to.
fn identity(emulator: &Emulator) -> Setup {
    Setup::m2m(emulator).unset("LAKEBASE_ENDPOINT")
}

/// `PGAPPNAME`, `PGDATABASE`, `PGHOST`, `PGPORT`, `PGSSLMODE` and `PGUSER`, as Databricks Apps inject them, and
/// the endpoint that `app.yaml` maps to `LAKEBASE_ENDPOINT`.
async fn environment_of_an_app() {
    let emulator = Emulator::builder().page_size(100).start().unwrap();
    // Requests at the same time overlap for certain.
    let duration = Duration::from_millis(200);
    emulator.inject(Fault::new(Operation::Any, Effect::Latency { duration }));
    let it = emulator.description().clone();
    for mode in ["allow", "prefer", "require", "verify-ca", "verify-full"] {
        emulator.clear_requests();
        let setup = Setup::m2m(&emulator)
            .set("PGAPPNAME", "app")
            .set("PGDATABASE", &it.database)
            .set("PGHOST", &it.pg_host)
            .set("PGSSLMODE", mode)
            .set("PGUSER", &it.client_id);
        let who = log_in(&setup.build()).await;
        assert_eq!(who, (it.client_id.clone(), it.database.clone()));
        let requests = emulator.requests();
        assert_eq!(asked(&emulator), ["credentials", "primary", "token"], "{mode}");
        assert_eq!(sequential_hops(&requests), 2, "{requests:?}");
        // The emulator's certificate is not trusted without its authority, whatever the mode says.
        let error = setup.unset("PGSSLROOTCERT").refused().await;
        assert_eq!(error.kind(), ErrorKind::Tls, "{mode}: {}", error.report());
    }
    let error = Setup::m2m(&emulator).set("PGSSLMODE", "disable").refused().await;
    assert_error(&error, ErrorKind::Config, &["PGSSLMODE (environment variable): sslmode disable"]);
    let elsewhere = Setup::m2m(&emulator).set("PGHOST", "elsewhere.example.com").refused().await;
    let part = "elsewhere.example.com is not a host of projects/";
    assert_error(&elsewhere, ErrorKind::Config, &[part]);
}

async fn host_alone() {
    let emulator = Emulator::builder().page_size(1).start().unwrap();
    for number in 0..12 {
        let name = format!("projects/decoy{number}/branches/production/endpoints/decoy{number}");
        emulator.add_endpoint(&name, EndpointKind::ReadWrite).unwrap();
    }
    let it = emulator.description().clone();
    let setup = identity(&emulator).set("PGHOST", &it.pg_host).set("PGSSLMODE", "require");
    let lakebase = setup.build();
    assert!(emulator.requests().is_empty(), "building asks nothing");
    let who = log_in(&lakebase).await;
    assert_eq!(who, (it.client_id.clone(), it.database.clone()));
    assert_eq!(endpoint_name(&lakebase).await, it.endpoint);
    let asked = asked(&emulator);
    assert_eq!(asked.iter().filter(|path| *path == "token").count(), 1, "{asked:?}");
    assert_eq!(asked.iter().filter(|path| *path == "credentials").count(), 1, "{asked:?}");
    // One for each page of the lists, and none twice.
    let known = ["token", "credentials", "projects", "branches", "endpoints"];
    assert!(asked.iter().all(|path| known.contains(&path.as_str())), "{asked:?}");
    emulator.clear_requests();
    log_in(&lakebase).await;
    assert_eq!(emulator.requests().len(), 0, "{:?}", emulator.requests());
}

async fn host_of_a_replica() {
    let emulator = shared();
    let it = emulator.description();
    let host = emulator.endpoint_host(&it.read_only_endpoint, false).unwrap();
    let lakebase = identity(emulator).set("PGHOST", &host).build();
    log_in(&lakebase).await;
    assert_eq!(endpoint_name(&lakebase).await, it.read_only_endpoint);
    // Reads that are asked for by name go to the branch's replica.
    let setup = identity(emulator).set("PGHOST", &it.pg_host);
    let reads = setup.builder().access(Access::ReadOnly).build().unwrap();
    let login = reads.connector().login().await.unwrap();
    assert_eq!(*login.params.host, *host);
    // The pooled host stands for the same endpoint, and takes no tokens.
    let pooled = emulator.endpoint_host(&it.endpoint, true).unwrap();
    let error = identity(emulator).set("PGHOST", &pooled).refused().await;
    assert!(error.report().contains("takes native passwords only"), "{}", error.report());
}

async fn host_in_a_url() {
    let emulator = shared();
    let it = emulator.description();
    let (name, host) = endpoint(emulator);
    let url = format!(
        "postgresql://{}@{host}:{}/{}?sslmode=require",
        it.client_id, it.pg_port, it.database
    );
    let lakebase = identity(emulator).set("LAKEBASE_PG_URL", &url).build();
    let who = log_in(&lakebase).await;
    assert_eq!(who, (it.client_id.clone(), it.database.clone()));
    assert_eq!(endpoint_name(&lakebase).await, name);
    assert_eq!(lakebase.connector().config().target, Some(Target::Host(host.as_str().into())));
}

async fn host_that_no_endpoint_has() {
    let emulator = Emulator::builder().page_size(1).start().unwrap();
    let host = "ep-abc-123.databricks.com";
    let error = identity(&emulator).set("PGHOST", host).refused().await;
    let parts = [
        host,
        "only to hosts that the workspace reports",
        "looked at 6 endpoints of 6 branches in 2 projects",
        "LAKEBASE_ENDPOINT",
    ];
    assert_error(&error, ErrorKind::NotFound, &parts);
    assert!(!asked(&emulator).iter().any(|path| path == "credentials"));
}

/// An instance of Lakebase Provisioned is known by its host, and its credentials come from another API.
async fn provisioned_instance() {
    let emulator = Emulator::builder().start().unwrap();
    let it = emulator.description().clone();
    let instance = format!("instances/{}", it.provisioned_instance);
    emulator.set_readable_secondaries(&instance, true).unwrap();
    for host in [it.provisioned_host.clone(), emulator.read_only_host(&instance).unwrap()] {
        emulator.clear_requests();
        let lakebase = identity(&emulator).set("PGHOST", &host).set("PGSSLMODE", "require").build();
        let (user, _) = log_in(&lakebase).await;
        assert_eq!(user, it.client_id);
        let paths: Vec<String> = emulator.requests().into_iter().map(|r| r.path).collect();
        let expected = [
            "/oidc/v1/token",
            "/api/2.0/database/instances:findByUid",
            "/api/2.0/database/credentials",
        ];
        assert_eq!(paths, expected);
        emulator.clear_requests();
        log_in(&lakebase).await;
        assert_eq!(emulator.requests().len(), 0);
    }
    // The form of the name decides nothing: this instance does not exist, and no endpoint has its host either.
    let unknown = it.provisioned_host.replacen("instance-", "instance-0", 1);
    let error = identity(&emulator).set("PGHOST", unknown).refused().await;
    assert_error(&error, ErrorKind::NotFound, &["looked at"]);
    // The API for such instances has no lifetime to choose.
    let setup = identity(&emulator).set("PGHOST", &it.provisioned_host);
    let lakebase = setup.builder().token_ttl(Duration::from_secs(600)).build().unwrap();
    let error = lakebase.connect().await.map(drop).unwrap_err();
    assert!(error.report().contains("leave the ttl out"), "{}", error.report());
}

async fn weak_modes_with_passwords() {
    // A native password keeps what libpq says: `require` looks at no certificate.
    let emulator = shared();
    let setup = Setup::password(emulator).set("PGSSLMODE", "require").unset("PGSSLROOTCERT");
    log_in(&setup.build()).await;
    let error = setup.set("PGSSLMODE", "verify-full").refused().await;
    assert_eq!(error.kind(), ErrorKind::Tls, "{}", error.report());
}

async fn names_of_templates() {
    let emulator = shared();
    let it = emulator.description();
    let name = |setup: &Setup| setup.build().connector().config().target.clone();
    for variable in ["PGENDPOINT", "ENDPOINT_NAME"] {
        let setup = identity(emulator).set(variable, &it.endpoint);
        log_in(&setup.build()).await;
        // The same value twice is no contradiction, another one is.
        let twice = setup.clone().set("LAKEBASE_ENDPOINT", &it.endpoint);
        assert_eq!(name(&twice), name(&setup));
        let error = twice.set("LAKEBASE_ENDPOINT", &it.read_only_endpoint).refused().await;
        let text = error.to_string();
        assert!(text.contains("LAKEBASE_ENDPOINT") && text.contains(variable), "{text}");
    }
    // Other programs use the names for other things.
    let setup = Setup::m2m(emulator).set("ENDPOINT_NAME", "my-model").set("PGENDPOINT", "x/y");
    assert_eq!(name(&setup), name(&Setup::m2m(emulator)));
    let error = identity(emulator).set("ENDPOINT_NAME", "my-model").refused().await;
    assert!(error.to_string().contains("nothing says what to connect to"), "{error}");
}

async fn last_resort() {
    let emulator = shared();
    let it = emulator.description();
    let (name, host) = endpoint(emulator);
    let url = format!("postgresql://{}@{host}/{}", it.client_id, it.database);
    let lakebase = identity(emulator).set("DATABASE_URL", &url).build();
    log_in(&lakebase).await;
    assert_eq!(endpoint_name(&lakebase).await, name);
    // Whatever else says what to connect to comes first.
    let named = Setup::m2m(emulator).set("DATABASE_URL", "mysql://u:canary@h/d").build();
    log_in(&named).await;
    let error = identity(emulator).set("DATABASE_URL", "mysql://u:canary@h/d").refused().await;
    let text = error.to_string();
    assert!(text.starts_with("DATABASE_URL (environment variable)"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

async fn identity_is_missing() {
    let error = Setup::empty().set("PGHOST", "ep-1.example.com").refused().await;
    let without = "PGHOST (environment variable): without a password";
    let parts = [without, "PGPASSWORD", "no workspace is configured"];
    assert_error(&error, ErrorKind::Config, &parts);
    // A list that does not answer is reported as such, and no credential was asked for.
    let emulator = Emulator::builder().start().unwrap();
    emulator.inject(Fault::new(Operation::ProjectList, Effect::reply(403)));
    let error = identity(&emulator).set("PGHOST", "ep-1.example.com").refused().await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{}", error.report());
    assert!(!asked(&emulator).iter().any(|path| path == "credentials"));
}
