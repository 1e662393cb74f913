//! The factory keeps the promises of every driver.

use std::sync::Arc;

use lakebase_session::startup::Startup;
use lakebase_session::{StartupFactory, Upstream};
use lakebase_testkit::conformance::login;

use crate::support::{connector_to, shared};

#[tokio::test]
async fn logs_in_and_tells_refusals_apart() {
    let it = shared().description();
    // With a native password, which the server checks like any other.
    let native = [("PGUSER", it.password_user.as_str()), ("PGPASSWORD", &it.password)];
    let connector = connector_to(&it.endpoint, &native);
    let params = connector.login().await.unwrap().params;
    let timer = &*connector.runtime().timer;
    let upstream = Upstream::new(Arc::clone(&connector.runtime().dial));
    let factory = StartupFactory::new(Arc::new(upstream), Startup::new());
    login::connection_factory(&factory, timer, &params, "db.example.com").await;
}
