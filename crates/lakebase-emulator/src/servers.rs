//! Everything that runs in an emulator: how it is put together, started and ended.
//!
//! Invariant: the servers end before Postgres does, and nothing is left on the runtime afterwards.

use std::net::Ipv4Addr;
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::data_api::AUTHENTICATOR;
use crate::fault::{Effect, Operation};
use crate::postgres::{Admin, Postgres, create_role_sql, find, quote};
use crate::shared::{Order, Shared, wall_clock};
use crate::state::{Credentials, State};
use crate::tls::{Identities, server_config};
use crate::world::{DATABASE, INSTANCE, INSTANCES, PRIMARY};
use crate::{Config, Description, Error, data_api, dns, gateway, http, identities, random};

const REPLICA: &str = "projects/demo/branches/production/endpoints/replica";
const WORKSPACE_ID: &str = "7405605519549535";
/// How often wake-ups and idle times are looked at without a request.
const TICK: Duration = Duration::from_millis(50);

/// The result of a start: what the handle owns once all servers answer.
pub(crate) struct Started {
    pub(crate) shared: Arc<Shared>,
    pub(crate) description: Description,
    pub(crate) ca_pem: String,
}

type StartedSender = blocking::Sender<Result<Started, Error>>;

/// Starts everything, reports, and runs until `stop` completes or its sender is gone.
pub(crate) async fn run(config: Config, started: StartedSender, stop: oneshot::Receiver<()>) {
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
    let bin = find(config.postgres_bin.as_deref(), &*config.lookup).map_err(Error::new)?;
    let certificates = Arc::new(Identities::generate()?);
    let api = bind().await?;
    let gateway = bind().await?;
    let names = dns::Sockets::bind().await?;
    let (api_port, pg_port) = (port(&api)?, port(&gateway)?);
    // The endpoints share one Postgres, and the emulator itself needs a few connections.
    let postgres = Postgres::start(&bin, config.max_connections + 100).await?;
    let folder = postgres.folder();
    let ca_cert = folder.join("ca.pem");
    std::fs::write(&ca_cert, &certificates.ca_pem)
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
    let id = WORKSPACE_ID.to_owned();
    let (https, (projects, branches)) = (config.https, config.decoys);
    let mut state = State::new(wall_clock(), config, host.clone(), id, credentials.clone());
    state.world.add_decoys(projects, branches).map_err(Error::new)?;
    let host_of = |name| state.world.endpoint(name).map(|it| it.host()).unwrap_or_default();
    let (pg_host, provisioned_host) = (host_of(PRIMARY), host_of(INSTANCE));
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
        provisioned_instance: INSTANCE.trim_start_matches(INSTANCES).to_owned(),
        provisioned_host,
        pg_port,
        ca_cert: ca_cert.display().to_string(),
        dns: names.address.to_string(),
        database: DATABASE.to_owned(),
        data_api: shared.with(|state, _| data_api::url(&state.host, &state.workspace_id)),
        password_user: credentials.password_user,
        password: credentials.password,
        identities: shared.with(|state, _| identities::variables(state)),
    };

    let gateway_tls =
        server_config(&certificates, "postgresql", wrong_certificates(&shared, Operation::Login))?;
    let wrong = wrong_certificates(&shared, Operation::Any);
    let api_tls = server_config(&certificates, "http/1.1", wrong)?;
    let api_tls = https.then(|| TlsAcceptor::from(api_tls));
    servers.spawn(http::serve(api, Arc::clone(&shared), api_tls));
    servers.spawn(gateway::serve(gateway, Arc::clone(&shared), gateway_tls));
    servers.spawn(dns::serve(names, Arc::clone(&shared)));
    servers.spawn(obey(received, admin));
    servers.spawn(keep_time(Arc::clone(&shared)));
    Ok((postgres, Started { shared, description, ca_pem: certificates.ca_pem.clone() }))
}

fn credentials(client_id: Option<String>) -> Credentials {
    Credentials {
        client_id: client_id.unwrap_or_else(random::uuid),
        client_secret: format!("dose{}", random::hex::<16>()),
        user: "ada@emulator.lakebase.test".to_owned(),
        pat: format!("dapi{}", random::hex::<16>()),
        password_user: "app_native".to_owned(),
        password: random::hex::<16>(),
        request_token: random::hex::<16>(),
        tenant: random::uuid(),
        azure_secret: random::hex::<16>(),
        service_account: "app@emulator.iam.gserviceaccount.com".to_owned(),
    }
}

/// Roles, their group and the database. The group is named as in the service; none is a superuser.
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
    statements.push(format!("create role {AUTHENTICATOR} login noinherit"));
    statements.extend(
        [&credentials.client_id, &credentials.user]
            .iter()
            .map(|role| format!("grant {} to {AUTHENTICATOR}", quote(role))),
    );
    statements.push(format!("create database {DATABASE} owner databricks_superuser"));
    statements
}

fn wrong_certificates(shared: &Arc<Shared>, on: Operation) -> Box<crate::tls::WrongFor> {
    let shared = Arc::clone(shared);
    Box::new(move |name| {
        let wanted = |effect: &Effect| matches!(effect, Effect::Certificate { .. });
        let name = name.unwrap_or_default();
        let effects = shared.with(|state, _| state.faults.take_where(on, name, wanted));
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
        shared.with(|state, real| state.sweep(real));
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
