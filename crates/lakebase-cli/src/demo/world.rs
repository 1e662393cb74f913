//! The two sides of the demo: the emulated service, and the program that uses it.

use std::sync::Arc;

use anyhow::Context;
use lakebase::core::Environment;
use lakebase::{Lakebase, LakebasePool, PoolOptions};
use lakebase_emulator::{Counters, Effect, Emulator, Fault, Operation};

use super::Plan;
use super::resolver::BrokenResolver;

/// Connections of the pool, and tasks that use it.
pub(crate) const WORKERS: u32 = 8;

/// The service side: what a real workspace does by itself is done here by hand.
#[derive(Debug)]
pub(crate) struct Service {
    emulator: Emulator,
}

impl Service {
    pub(crate) async fn start(plan: Plan) -> anyhow::Result<Self> {
        let config = Emulator::builder()
            .database_token_lifetime(plan.token_lifetime)
            .wake_delay(plan.wake_delay);
        // It blocks for about a second.
        let emulator = tokio::task::spawn_blocking(move || config.start()).await??;
        Ok(Self { emulator })
    }

    /// The address of the DNS server that knows the endpoints' hosts.
    pub(crate) fn dns(&self) -> &str {
        &self.emulator.description().dns
    }

    /// The counters of the read-write endpoint.
    pub(crate) fn counters(&self) -> Counters {
        self.emulator.counters(&self.emulator.description().endpoint).unwrap_or_default()
    }

    /// Database tokens given out so far.
    pub(crate) fn tokens_minted(&self) -> u64 {
        self.emulator.state()["tokens_minted"]["database"].as_u64().unwrap_or_default()
    }

    /// Requests for a database token that were answered with 503.
    pub(crate) fn failed_mints(&self) -> u64 {
        let requests = self.emulator.requests();
        let failed =
            requests.iter().filter(|r| r.status == 503 && r.path.ends_with("/credentials"));
        failed.count() as u64
    }

    pub(crate) fn begin_outage(&self) {
        self.emulator.inject(Fault::new(Operation::Credentials, Effect::reply(503)));
    }

    pub(crate) fn end_outage(&self) {
        self.emulator.clear();
    }

    pub(crate) fn suspend(&self) -> anyhow::Result<()> {
        Ok(self.emulator.suspend(&self.emulator.description().endpoint)?)
    }

    pub(crate) fn revoke_tokens(&self) {
        self.emulator.revoke_tokens();
    }

    /// Stops it, which blocks for a moment.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(tokio::task::spawn_blocking(move || drop(self)).await?)
    }

    /// The program side, configured by environment variables as an application is.
    pub(crate) fn program(&self, resolver: Arc<BrokenResolver>) -> anyhow::Result<Lakebase> {
        let service = self.emulator.description();
        let port = service.pg_port.to_string();
        let environment = Environment::from_pairs([
            ("DATABRICKS_HOST", service.host.as_str()),
            ("DATABRICKS_CLIENT_ID", &service.client_id),
            ("DATABRICKS_CLIENT_SECRET", &service.client_secret),
            ("LAKEBASE_PROJECT", &service.project),
            ("LAKEBASE_BRANCH", &service.branch),
            ("LAKEBASE_DNS", &service.dns),
            ("PGPORT", &port),
        ]);
        let builder = Lakebase::builder()
            .environment(environment)
            .root_certificates(self.emulator.ca_pem().to_owned())
            .host_resolver(resolver);
        Ok(builder.build()?)
    }
}

/// The program's pool, with its times compressed like the tokens' life.
pub(crate) async fn open_pool(lakebase: &Lakebase, plan: Plan) -> anyhow::Result<LakebasePool> {
    let options = PoolOptions::new()
        .max_connections(WORKERS)
        .max_lifetime(plan.connection_lifetime)
        .ping_after_idle(plan.ping_after_idle);
    lakebase.pool(options).await.context("cannot open the pool")
}
