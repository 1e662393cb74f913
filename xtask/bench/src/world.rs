//! The emulator as rows use it, and the settings that its clients get.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lakebase::core::Environment;
use lakebase_emulator::{Config, Effect, Emulator, EndpointKind, Fault, Operation};

use crate::peers::Peers;
use crate::postgres::{HOST, Postgres};
use crate::process::bare;

/// Variables of a client's process.
#[derive(Clone, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Gives them to `command`, and nothing else but a `PATH`.
    pub(crate) fn describe(&self, command: &mut Command) {
        bare(command).envs(&self.0);
    }

    /// The same for a client in this process. Files are read as usual.
    pub(crate) fn environment(&self) -> Environment {
        let variables = self.clone();
        Environment::new(move |name| variables.get(name), |path| std::fs::read_to_string(path))
    }
}

/// A workspace and its Postgres.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
}

impl World {
    /// One list is one page, so that requests are counted as they would be at the service.
    pub(crate) fn start(config: Config, peers: &Peers) -> Result<Self> {
        let config = config.page_size(100).max_connections(400);
        let emulator = match peers.get("postgres") {
            Ok(bin) => config.postgres_bin(bin).start(),
            // It looks for one itself, and its error lists the places.
            Err(_) => config.start(),
        };
        Ok(Self { emulator: emulator.context("cannot start the emulator")? })
    }

    /// What a client needs to reach `endpoint` as the service principal. The address of its host is given, because only the emulator's own DNS server
    /// knows it.
    pub(crate) fn variables(&self, endpoint: &str) -> Result<Variables> {
        let it = self.emulator.description();
        let host = self.emulator.endpoint_host(endpoint, false);
        Ok(Variables::default()
            .set("DATABRICKS_HOST", &it.host)
            .set("DATABRICKS_CLIENT_ID", &it.client_id)
            .set("DATABRICKS_CLIENT_SECRET", &it.client_secret)
            .set("LAKEBASE_ENDPOINT", endpoint)
            .set("PGHOST", host.with_context(|| format!("no endpoint {endpoint}"))?)
            .set("PGHOSTADDR", "127.0.0.1")
            .set("PGPORT", it.pg_port)
            .set("PGUSER", &it.client_id)
            .set("PGDATABASE", &it.database)
            .set("PGSSLROOTCERT", &it.ca_cert)
            .set("NODE_EXTRA_CA_CERTS", &it.ca_cert))
    }

    /// The same with `postgres` behind `port` in the place of the emulator's gateway.
    pub(crate) fn variables_for(&self, postgres: &Postgres, port: u16) -> Result<Variables> {
        let certificate = postgres.certificate();
        let variables = self.variables(&self.emulator.description().endpoint)?;
        Ok(variables
            .set("PGHOST", HOST)
            .unset("PGHOSTADDR")
            .set("PGPORT", port)
            .set("PGSSLROOTCERT", certificate.display())
            .set("NODE_EXTRA_CA_CERTS", certificate.display()))
    }

    /// A new read-write endpoint in a project of its own.
    pub(crate) fn endpoint(&self, id: &str) -> Result<String> {
        let name = format!("projects/{id}/branches/production/endpoints/{id}");
        self.emulator.add_endpoint(&name, EndpointKind::ReadWrite)?;
        Ok(name)
    }

    /// Every answer of the workspace takes `time` longer; nothing else goes wrong any more.
    pub(crate) fn set_latency(&self, time: Duration) {
        self.emulator.clear();
        if !time.is_zero() {
            self.emulator.inject(Fault::new(Operation::Any, Effect::Latency { duration: time }));
        }
    }
}
