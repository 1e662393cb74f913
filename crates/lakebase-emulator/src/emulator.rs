//! The handle that tests and the command hold.

use std::path::Path;
use std::sync::{Arc, mpsc as blocking};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::log::RequestRecord;
use crate::servers::{Started, run};
use crate::shared::Shared;
use crate::state::State;
use crate::token::TokenFor;
use crate::world::{Counters, EndpointKind};
use crate::{Config, Description, Error, api};

/// A Databricks-like workspace and its Lakebase Postgres on loopback.
///
/// It lives on threads of its own, so it can be used from any runtime or from none; its methods block for
/// microseconds, [`start`](Self::start) and `drop` for about a second. Dropping it stops the servers
/// and Postgres and removes its folder; the same happens when the process is killed.
pub struct Emulator {
    shared: Arc<Shared>,
    description: Description,
    ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").field("description", &self.description).finish_non_exhaustive()
    }
}

impl Config {
    /// Starts an emulator with these settings.
    ///
    /// # Errors
    /// As [`Emulator::start`].
    pub fn start(self) -> Result<Emulator, Error> {
        Emulator::start(self)
    }
}

impl Emulator {
    /// Settings to start from.
    pub fn builder() -> Config {
        Config::default()
    }

    /// Starts an emulator and returns when everything in it answers.
    ///
    /// # Errors
    /// When no Postgres is found (the message lists the places and how to install it), when it does not
    /// start, or when loopback sockets, certificates or the temporary folder cannot be had.
    pub fn start(config: Config) -> Result<Self, Error> {
        let (started_sender, started) = blocking::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("lakebase-emulator".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .thread_name("lakebase-emulator-io")
                    .enable_all()
                    .build();
                match runtime {
                    Ok(runtime) => runtime.block_on(run(config, started_sender, stopped)),
                    Err(e) => {
                        let _ = started_sender.send(Err(Error::with("cannot start a runtime", e)));
                    }
                }
            })
            .map_err(|e| Error::with("cannot start a thread", e))?;
        let result =
            started.recv().unwrap_or_else(|_| Err(Error::new("the emulator's thread ended early")));
        match result {
            Ok(Started { shared, description, ca_pem }) => {
                Ok(Self { shared, description, ca_pem, stop: Some(stop), thread: Some(thread) })
            }
            Err(error) => {
                let _ = thread.join();
                Err(error)
            }
        }
    }

    /// Addresses, names and secrets.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The certificate authority to trust, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Unix socket of the real Postgres behind the gateway, for comparisons with what a Postgres says. It lets in any role that
    /// exists, without a password.
    #[must_use]
    pub fn postgres_socket(&self) -> &Path {
        &self.shared.socket
    }

    /// The emulated time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.shared.with(|state, real| state.clock.now(real))
    }

    /// Moves the emulated clock ahead at once.
    pub fn advance(&self, by: Duration) {
        self.shared.note_traffic();
        self.shared.with(|state, real| {
            state.clock.advance(by);
            state.sweep(real);
        });
    }

    /// Changes how many emulated seconds pass in a real one (0 to 1 000 000); the time of the moment stays.
    pub fn set_acceleration(&self, factor: f64) {
        self.shared.with(|state, real| state.clock.set_acceleration(real, factor));
    }

    /// Makes something go wrong from now on.
    pub fn inject(&self, fault: Fault) {
        self.shared.with(|state, _| state.faults.inject(fault));
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.shared.with(|state, _| state.faults.clear());
    }

    /// Suspends an endpoint by its full resource name and ends its sessions.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn suspend(&self, endpoint: &str) -> Result<(), Error> {
        self.known(endpoint, |state| state.suspend(endpoint))
    }

    /// Ends the sessions of an endpoint, which stays awake.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn end_sessions(&self, endpoint: &str) -> Result<(), Error> {
        self.known(endpoint, |state| {
            state.end_sessions(endpoint);
            state.world.endpoint(endpoint).is_some()
        })
    }

    /// Switches an endpoint off, which suspends it and ends its sessions, or on again, to be woken by the next login.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn set_disabled(&self, endpoint: &str, disabled: bool) -> Result<(), Error> {
        self.known(endpoint, |state| {
            let known = !disabled || state.suspend(endpoint);
            let found = state.world.endpoint_mut(endpoint);
            found.map(|endpoint| endpoint.disabled = disabled).is_some() && known
        })
    }

    /// Adds an endpoint, with its project and branch where they are new.
    ///
    /// # Errors
    /// When the name is not `projects/{id}/branches/{id}/endpoints/{id}` with valid ids, or taken.
    pub fn add_endpoint(&self, name: &str, kind: EndpointKind) -> Result<(), Error> {
        self.shared.with(|state, _| state.world.add_endpoint(name, kind)).map_err(Error::new)
    }

    /// Adds a Provisioned instance, `instances/{id}` for the other methods here.
    ///
    /// # Errors
    /// When the id is malformed or taken.
    pub fn add_instance(&self, id: &str, readable_secondaries: bool) -> Result<(), Error> {
        let added = self.shared.with(|state, _| state.world.add_instance(id, readable_secondaries));
        added.map_err(Error::new)
    }

    /// Adds projects, listed before all others, each with so many branches with two endpoints each.
    ///
    /// # Errors
    /// When there would be more than 10 000 projects and branches.
    pub fn add_decoys(&self, projects: usize, branches: usize) -> Result<(), Error> {
        self.shared.with(|state, _| state.world.add_decoys(projects, branches)).map_err(Error::new)
    }

    /// Gives an endpoint or instance readable secondaries, with a host name of their own, or takes them away.
    ///
    /// # Errors
    /// When there is no such endpoint or instance.
    pub fn set_readable_secondaries(&self, name: &str, readable: bool) -> Result<(), Error> {
        self.known(name, |state| {
            let found = state.world.endpoint_mut(name);
            found.map(|endpoint| endpoint.readable_secondaries = readable).is_some()
        })
    }

    /// Creates a role that logs in with tokens of the identity of that name.
    pub fn create_role(&self, role: &str) {
        self.shared.with(|state, _| api::create_role(state, role));
        self.shared.settle();
    }

    /// Makes the gateway forget a role: logins fail as if it had never been created.
    pub fn drop_role(&self, role: &str) {
        self.shared.with(|state, _| state.world.roles.remove(role));
    }

    /// No token given out so far is accepted any more; the personal access token and passwords stay good.
    pub fn revoke_tokens(&self) {
        self.shared.with(|state, _| state.revoke_tokens());
    }

    /// A token of another issuer, for `audience` and with the emulated `lifetime`; an id token is accepted for
    /// whatever audience.
    #[must_use]
    pub fn issue_token(&self, what: TokenFor, audience: &str, lifetime: Duration) -> String {
        self.shared.with(|state, real| {
            let now = state.clock.now(real);
            state.issue(what, audience, now, lifetime)
        })
    }

    /// The counters of an endpoint; `None` when there is no such endpoint.
    #[must_use]
    pub fn counters(&self, endpoint: &str) -> Option<Counters> {
        self.shared
            .with(|state, _| state.world.endpoint(endpoint).map(|endpoint| endpoint.counters))
    }

    /// Host name of an endpoint or instance, or of its pooler; `None` when there is none.
    #[must_use]
    pub fn endpoint_host(&self, endpoint: &str, pooled: bool) -> Option<String> {
        self.shared.with(|state, _| {
            let endpoint = state.world.endpoint(endpoint)?;
            if pooled { endpoint.pooled_host() } else { Some(endpoint.host()) }
        })
    }

    /// Host name of the readable secondaries of an endpoint or instance; `None` when it has none.
    #[must_use]
    pub fn read_only_host(&self, name: &str) -> Option<String> {
        self.shared.with(|state, _| state.world.endpoint(name)?.read_only_host())
    }

    /// The requests of the workspace API since the start or the last [`clear_requests`](Self::clear_requests).
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.with(|state, _| state.log.list().to_vec())
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.with(|state, _| state.log.clear());
    }

    /// The answer of `GET /_emulator/state`: clock, endpoints, counters, faults and requests, without secrets.
    #[must_use]
    pub fn state(&self) -> serde_json::Value {
        self.shared.with(|state, real| state.report(real))
    }

    fn known(&self, endpoint: &str, f: impl FnOnce(&mut State) -> bool) -> Result<(), Error> {
        let known = self.shared.with(|state, _| f(state));
        self.shared.settle();
        known.then_some(()).ok_or_else(|| Error::new(format!("no endpoint '{endpoint}'")))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
