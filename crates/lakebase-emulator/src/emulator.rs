//! The running emulator: its thread, its servers, and the handle that tests hold.

use std::net::Ipv4Addr;
use std::sync::{Arc, mpsc as blocking};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::fault::{Effect, Fault, Operation};
use crate::log::RequestRecord;
use crate::postgres::{Admin, Postgres, create_role_sql, find, quote};
use crate::shared::{Order, Shared, wall_clock};
use crate::state::{Credentials, Settings, State};
use crate::tls::{Identities, server_config};
use crate::world::{Counters, DATABASE, EndpointKind};
use crate::{Config, Description, Error, api, dns, door, http, random};

const PRIMARY: &str = "projects/demo/branches/production/endpoints/primary";
const REPLICA: &str = "projects/demo/branches/production/endpoints/replica";
/// How often wake-ups and idle times are looked at when nobody asks.
const TICK: Duration = Duration::from_millis(50);

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

struct Started {
    shared: Arc<Shared>,
    description: Description,
    ca_pem: String,
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

    /// The emulated time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.shared.with(|state, real| state.clock.now(real))
    }

    /// Moves the emulated clock ahead at once.
    pub fn advance(&self, by: Duration) {
        self.shared.with(|state, real| {
            state.clock.advance(by);
            state.tick(real);
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

    /// Switches an endpoint off or on again; sessions that are open stay.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn set_disabled(&self, endpoint: &str, disabled: bool) -> Result<(), Error> {
        self.known(endpoint, |state| {
            let found = state.world.endpoint_mut(endpoint);
            found.map(|endpoint| endpoint.disabled = disabled).is_some()
        })
    }

    /// Adds an endpoint, with its project and branch where they are new.
    ///
    /// # Errors
    /// When the name is not `projects/{id}/branches/{id}/endpoints/{id}` with valid ids, or taken.
    pub fn add_endpoint(&self, name: &str, kind: EndpointKind) -> Result<(), Error> {
        let added = self.shared.with(|state, _| state.world.add_endpoint(name, kind));
        added
            .then_some(())
            .ok_or_else(|| Error::new(format!("endpoint name '{name}' is malformed or taken")))
    }

    /// Creates a role that logs in with tokens of the identity of that name.
    pub fn create_role(&self, role: &str) {
        self.shared.with(|state, _| api::create_role(state, role));
        self.shared.settle();
    }

    /// Makes the front door forget a role: logins fail as if it had never been created.
    pub fn drop_role(&self, role: &str) {
        self.shared.with(|state, _| state.world.roles.remove(role));
    }

    /// No token given out so far is accepted any more; the personal access token and passwords stay good.
    pub fn revoke_tokens(&self) {
        self.shared.with(|state, _| state.revoke_tokens());
    }

    /// What happened at an endpoint so far; `None` when there is no such endpoint.
    #[must_use]
    pub fn counters(&self, endpoint: &str) -> Option<Counters> {
        self.shared
            .with(|state, _| state.world.endpoint(endpoint).map(|endpoint| endpoint.counters))
    }

    /// Host name of an endpoint, or of its pooler; `None` when there is no such endpoint.
    #[must_use]
    pub fn endpoint_host(&self, endpoint: &str, pooled: bool) -> Option<String> {
        self.shared.with(|state, _| {
            let endpoint = state.world.endpoint(endpoint)?;
            Some(if pooled { endpoint.pooled_host() } else { endpoint.host() })
        })
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

    /// What `GET /_emulator/state` shows: clock, endpoints, counters, faults and requests, without secrets.
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

type StartedSender = blocking::Sender<Result<Started, Error>>;

async fn run(config: Config, started: StartedSender, stop: oneshot::Receiver<()>) {
    let mut servers = JoinSet::new();
    // Postgres is dropped after the servers, whose sessions end first.
    let _postgres = match serve(config, &mut servers).await {
        Ok((postgres, handle)) => {
            let _ = started.send(Ok(handle));
            postgres
        }
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    // Completes when the handle is dropped.
    let _ = stop.await;
    servers.shutdown().await;
}

async fn serve(config: Config, servers: &mut JoinSet<()>) -> Result<(Postgres, Started), Error> {
    let bin = find(config.postgres_bin.as_deref(), &*config.lookup)?;
    let identities = Arc::new(Identities::generate()?);
    let api = bind().await?;
    let door = bind().await?;
    let names = dns::Sockets::bind().await?;
    let (api_port, pg_port) = (port(&api)?, port(&door)?);
    // The endpoints share one Postgres, and the emulator itself needs a few connections.
    let postgres = Postgres::start(&bin, config.max_connections + 100).await?;
    let folder = postgres.folder();
    let ca_cert = folder.join("ca.pem");
    std::fs::write(&ca_cert, &identities.ca_pem)
        .map_err(|e| Error::with("cannot write the CA file", e))?;

    let host = if config.https {
        format!("https://localhost:{api_port}")
    } else {
        format!("http://127.0.0.1:{api_port}")
    };
    let credentials = credentials(config.client_id.clone());
    let admin = Admin::new(&postgres.socket());
    admin
        .run(&bootstrap(&credentials))
        .await
        .map_err(|e| Error::with("cannot create roles and database", e))?;
    let state = state(&config, host.clone(), credentials.clone());
    let pg_host = state.world.endpoint(PRIMARY).map(|endpoint| endpoint.host()).unwrap_or_default();
    let (orders, received) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::new(state, postgres.socket(), orders));
    let description = Description {
        host,
        client_id: credentials.client_id,
        client_secret: credentials.client_secret,
        token: credentials.pat,
        user: credentials.user,
        project: "demo".to_owned(),
        branch: "production".to_owned(),
        endpoint: PRIMARY.to_owned(),
        read_only_endpoint: REPLICA.to_owned(),
        pg_host,
        pg_port,
        ca_cert: ca_cert.display().to_string(),
        dns: names.address.to_string(),
        database: DATABASE.to_owned(),
        password_user: credentials.password_user,
        password: credentials.password,
    };

    let door_tls = server_config(&identities, "postgresql", wrong_certificates(&shared))?;
    let api_tls = server_config(&identities, "http/1.1", Box::new(|_| None))?;
    let api_tls = config.https.then(|| TlsAcceptor::from(api_tls));
    servers.spawn(http::serve(api, Arc::clone(&shared), api_tls));
    servers.spawn(door::serve(door, Arc::clone(&shared), door_tls));
    servers.spawn(dns::serve(names, Arc::clone(&shared)));
    servers.spawn(obey(received, admin));
    servers.spawn(keep_time(Arc::clone(&shared)));
    Ok((postgres, Started { shared, description, ca_pem: identities.ca_pem.clone() }))
}

fn state(config: &Config, host: String, credentials: Credentials) -> State {
    let settings = Settings {
        host,
        token_path: config.token_path.clone(),
        workspace_id: "7405605519549535".to_owned(),
        page_size: config.page_size,
        workspace_token_lifetime: config.workspace_token_lifetime,
        database_token_lifetime: config.database_token_lifetime,
        max_connections: u64::from(config.max_connections),
    };
    let clock = Clock::new(wall_clock(), config.acceleration);
    State::new(clock, settings, credentials, config.pat_lifetime, config.suspension)
}

fn credentials(client_id: Option<String>) -> Credentials {
    Credentials {
        client_id: client_id.unwrap_or_else(random::uuid),
        client_secret: format!("dose{}", random::hex::<16>()),
        user: "ada@emulator.lakebase.test".to_owned(),
        pat: format!("dapi{}", random::hex::<16>()),
        password_user: "app_native".to_owned(),
        password: random::hex::<16>(),
    }
}

/// Roles, their group and the database. The group is named as in the service; nobody is a superuser.
fn bootstrap(credentials: &Credentials) -> Vec<String> {
    let roles = [&credentials.client_id, &credentials.user, &credentials.password_user];
    let mut statements =
        vec!["create role databricks_superuser nologin createdb createrole".to_owned()];
    statements.extend(roles.iter().map(|role| create_role_sql(role)));
    statements
        .extend(roles.iter().map(|role| format!("grant databricks_superuser to {}", quote(role))));
    statements.push(
        "grant pg_read_all_data, pg_write_all_data, pg_monitor to databricks_superuser".to_owned(),
    );
    statements.push(format!("create database {DATABASE} owner databricks_superuser"));
    statements
}

fn wrong_certificates(shared: &Arc<Shared>) -> Box<crate::tls::WrongFor> {
    let shared = Arc::clone(shared);
    Box::new(move |name| {
        let wanted = |effect: &Effect| matches!(effect, Effect::Certificate { .. });
        let name = name.unwrap_or_default();
        let effects =
            shared.with(|state, _| state.faults.take_where(Operation::Login, name, wanted));
        effects.into_iter().find_map(|effect| match effect {
            Effect::Certificate { wrong } => Some(wrong),
            _ => None,
        })
    })
}

/// Carries out what the state leaves to do, in order.
async fn obey(mut orders: mpsc::UnboundedReceiver<Order>, admin: Admin) {
    while let Some(order) = orders.recv().await {
        match order {
            // A backend that is gone already and a role that exists already are as wanted.
            Order::Run(statements) => drop(admin.run(&statements).await),
            Order::Report(done) => done(),
        }
    }
}

async fn keep_time(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(TICK);
    loop {
        interval.tick().await;
        shared.note_traffic();
        shared.with(|state, real| state.tick(real));
    }
}

async fn bind() -> Result<TcpListener, Error> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    bound.map_err(|e| Error::with("cannot listen on 127.0.0.1", e))
}

fn port(listener: &TcpListener) -> Result<u16, Error> {
    let address =
        listener.local_addr().map_err(|e| Error::with("cannot listen on 127.0.0.1", e))?;
    Ok(address.port())
}
