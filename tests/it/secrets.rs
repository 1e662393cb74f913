//! The canary: a whole session with everything on, and no secret in any log, `Debug`, `Display` or error.

use std::fmt::{Debug, Write as _};
use std::sync::{LazyLock, Once};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lakebase::core::{Claim, Secret};
use lakebase::sqlx::Connection as _;
use lakebase::{Access, Error, PoolOptions};
use lakebase_emulator::{Effect, Emulator, Fault, Operation, TokenFor};
use lakebase_testkit::conformance::proxy_server::{HttpProxyServer, ProxyBehaviour};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::identities::rows::{HOUR, rows};
use crate::log::Log;
use crate::support::{Setup, endpoint, select_one, shared};

on_each_runtime! { canary }

/// Everything that any crate logs in this process, at TRACE.
static CAPTURED: LazyLock<Log> = LazyLock::new(Log::default);

/// Starts capturing, also what is logged through `log`.
fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_log::LogTracer::init().unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(CAPTURED.clone())
            .finish();
        // Where surf's HTTP library logs tokens; nothing is sent by surf unless this is off.
        let leaky = if cfg!(feature = "http-surf") { LevelFilter::OFF } else { LevelFilter::TRACE };
        let targets = Targets::new().with_default(LevelFilter::TRACE);
        let subscriber = subscriber.with(targets.with_target("async_h1::client", leaky));
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// Collects what public objects print.
#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, thing: &impl Debug) {
        write!(self.0, "{thing:?}\n{thing:#?}\n").unwrap();
    }

    fn error(&mut self, error: &Error) {
        self.debug(error);
        write!(self.0, "{error}\n{}\n", error.report()).unwrap();
    }
}

async fn canary() {
    capture();
    let it = shared().description();
    let mut printed = Printed::default();
    let mut secrets = vec![
        it.client_secret.clone(),
        it.token.clone(),
        it.password.clone(),
        "hunter2hunter2".into(),
    ];

    // Logins of each kind, and what they are made of.
    for setup in [Setup::m2m(shared()), Setup::pat(shared()), Setup::password(shared())] {
        let (name, host) = endpoint(shared());
        let builder = setup.endpoint(&name).builder().access(Access::ReadWrite);
        printed.debug(&builder);
        let lakebase = builder.build().unwrap();
        let pool = lakebase.pool(PoolOptions::new().max_connections(3)).await.unwrap();
        assert_eq!(select_one(&pool).await, 1);
        let login = lakebase.connector().login().await.unwrap();
        secrets.extend(login.params.password.iter().map(|secret| secret.expose().to_owned()));
        printed.debug(&login);
        printed.debug(&*login.params);
        printed.debug(lakebase.connector());
        printed.debug(lakebase.connector().config());
        printed.debug(lakebase.connector().runtime());
        printed.debug(&lakebase.connector().credentials().await.unwrap());
        if let Ok(held) = lakebase.credential().await {
            secrets.push(held.token.expose().to_owned());
            printed.debug(&*held);
            printed.debug(&held);
        }
        if let Some(workspace) = lakebase.workspace() {
            let held = workspace.access_token().await.unwrap();
            secrets.push(held.token.expose().to_owned());
            printed.debug(&*held);
            printed.debug(workspace);
        }
        printed.debug(&lakebase);
        printed.debug(&pool);
        printed.debug(&*pool);
        printed.debug(&pool.acquire().await.unwrap());
        let conn = lakebase.connect().await.unwrap();
        printed.debug(&conn);
        conn.close().await.unwrap();
        // A connection that ends without a word, and logins that fail.
        drop(lakebase.connect().await.unwrap());
        shared().inject(Fault::new(Operation::Login, Effect::refuse("28P01", "no")).only(host));
        printed.error(&lakebase.connect().await.map(drop).unwrap_err());
        printed.debug(&pool.close().await);
    }

    vouched_for(&mut printed, &mut secrets).await;

    // Errors of each layer, with the secrets at hand.
    let url = format!("postgresql://u:{}@h:x/d", it.password);
    let claims = vec![Claim { permission_set: "WRITE".into(), tables: vec!["a.b.c".into()] }];
    for setup in [
        Setup::m2m(shared()).set("DATABRICKS_CLIENT_SECRET", "hunter2hunter2"),
        Setup::pat(shared()).set("DATABRICKS_TOKEN", "hunter2hunter2"),
        Setup::password(shared()).set("PGPASSWORD", "hunter2hunter2"),
        Setup::m2m(shared()).set("DATABRICKS_TOKEN", &it.token),
        Setup::empty().set("LAKEBASE_PG_URL", url),
        Setup::m2m(shared()).set("PGSSLMODE", "disable"),
        Setup::m2m(shared()).set("PGUSER", "nobody"),
        Setup::m2m(shared()).unset("PGSSLROOTCERT"),
    ] {
        printed.error(&setup.refused().await);
    }
    let lakebase = Setup::m2m(shared()).builder().claims(claims).build().unwrap();
    printed.error(&lakebase.connect().await.map(drop).unwrap_err());
    printed.debug(&Secret::new("hunter2hunter2"));
    secrets.extend(through_proxies(&mut printed).await);

    tracing::trace!("seen through tracing");
    log::trace!("seen through log");
    let logged = CAPTURED.text();
    for marker in ["seen through tracing", "seen through log"] {
        assert!(logged.contains(marker), "the capture works: {marker}");
    }
    let own = logged.lines().filter(|line| line.contains(" lakebase_core")).count();
    assert!(own > 10, "the connector's own events are among them: {own}");
    assert!(printed.0.contains(&it.client_id) && printed.0.contains(&it.pg_host));

    let basic = BASE64.encode(format!("{}:{}", it.client_id, it.client_secret));
    secrets.push(basic);
    secrets.sort();
    secrets.dedup();
    assert!(secrets.len() >= 8, "{}", secrets.len());
    for secret in &secrets {
        assert!(secret.len() >= 12, "too short to be told from other text");
        for (place, text) in [("printed", &*printed.0), ("logged", &*logged)] {
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            let line = line.map(|line| line.replace(secret.as_str(), "<SECRET>"));
            assert_eq!(line, None, "a secret was {place}");
        }
    }
}

/// Logs in through proxies with a password, which lets it through, refuse it, or say nothing; gives back what must
/// not be seen.
async fn through_proxies(printed: &mut Printed) -> [String; 3] {
    let (user, password) = ("user-of-a-proxy", "password-of-a-proxy");
    let workspace = shared().description().host.trim_start_matches("http://").parse().unwrap();
    for behaviour in
        [ProxyBehaviour::LeadTo(workspace), ProxyBehaviour::Status(407), ProxyBehaviour::Close]
    {
        let proxy = HttpProxyServer::start(behaviour);
        let url = format!("http://{user}:{password}@{}", proxy.host());
        let setup = Setup::m2m(shared()).set("PGCONNECT_TIMEOUT", 2).set("HTTPS_PROXY", &url);
        let builder = setup.builder().http_proxy(url);
        for builder in [setup.builder(), builder] {
            printed.debug(&builder);
            printed.debug(&builder.workspace_settings().unwrap());
            // surf knows no proxies, which is an error here already.
            let lakebase = match builder.build() {
                Ok(lakebase) => lakebase,
                Err(error) => {
                    printed.error(&error);
                    continue;
                }
            };
            printed.debug(&lakebase);
            printed.debug(lakebase.connector().runtime());
            match lakebase.connect().await {
                Ok(connection) => printed.debug(&connection),
                Err(error) => printed.error(&error),
            }
        }
        let sent = proxy.heads().concat().to_lowercase();
        let expected = !cfg!(feature = "http-surf");
        assert_eq!(sent.contains("proxy-authorization: basic "), expected, "it was sent");
    }
    assert!(printed.0.contains("through the proxy http://127.0.0.1:"));
    [user.to_owned(), password.to_owned(), BASE64.encode(format!("{user}:{password}"))]
}

/// Every other identity, once well and once with its service refusing, and a user's token.
async fn vouched_for(printed: &mut Printed, secrets: &mut Vec<String>) {
    // Faults disturb nobody else here.
    let emulator = Emulator::builder().start().unwrap();
    let token = emulator.issue_token(TokenFor::User, "", HOUR);
    let service = Setup::m2m(&emulator).build();
    let user = service.on_behalf_of(token.as_str()).unwrap();
    user.connect().await.unwrap().close().await.unwrap();
    printed.debug(&(&service, &user, user.workspace(), user.connector()));
    secrets.extend([token, user.credential().await.unwrap().token.expose().to_owned()]);
    for row in rows(&emulator) {
        printed.debug(&row.setup.builder());
        let lakebase = row.build(&emulator);
        printed.debug(&lakebase);
        let workspace = lakebase.workspace().unwrap();
        let held = workspace.access_token().await.unwrap();
        workspace.current_user().await.unwrap();
        printed.debug(workspace);
        printed.debug(&held);
        secrets.push(held.token.expose().to_owned());
        let beside = held.headers.values().filter(|value| value.is_sensitive());
        secrets.extend(beside.filter_map(|value| Some(value.to_str().ok()?.to_owned())));
        secrets.extend(row.sent.iter().chain(&row.kept).cloned());
        let exchanged = ["env-oidc", "file-oidc"].contains(&row.auth_type);
        for (on, status) in
            [(Operation::TokenService, 400), (Operation::Token, 400), (Operation::Me, 403)]
        {
            // Each says again what it was told, and the words that it was told for.
            let told = match on {
                Operation::Me => held.token.expose().to_owned(),
                Operation::Token if !exchanged => String::new(),
                _ => row.sent.join(" "),
            };
            let said = Effect::Reply {
                status,
                body: lakebase_emulator::Body::Json,
                retry_after: None,
                error_code: None,
                message: Some(format!("no {told}")),
            };
            emulator.inject(Fault::new(on, said));
            let lakebase = row.build(&emulator);
            if let Err(error) = lakebase.workspace().unwrap().current_user().await {
                printed.error(&error);
            }
            emulator.clear();
        }
    }
}
