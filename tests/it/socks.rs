//! Postgres that is reached only through a SOCKS proxy, by the library, the proxy and the command, and proxies that refuse or are silent.

use std::process::Command;
use std::time::Duration;

use lakebase::sqlx::{Connection as _, query_scalar};
use lakebase::{ErrorKind, PoolOptions};
use lakebase_testkit::RefusingAddress;
use lakebase_testkit::conformance::socks_server::{SocksBehaviour, SocksServer};

use crate::psql::{Psql, psql};
use crate::support::{Setup, log_in, select_one, shared, until};

on_each_runtime! { by_every_door addresses_where_names_are_looked_up_here as_the_program_says refusals }

/// As the service principal of the emulator, where nobody here finds the server's host.
fn setup() -> Setup {
    Setup::m2m(shared()).set("LAKEBASE_DNS", "127.0.0.1:1")
}

/// Leads to the server, whatever is asked for.
fn proxy() -> SocksServer {
    let to = ([127, 0, 0, 1], shared().description().pg_port).into();
    SocksServer::start(SocksBehaviour::LeadOnly(to, "me", "canary 1"))
}

/// What is asked of the proxy, where it looks names up.
fn asked() -> String {
    let it = shared().description();
    format!("{}:{}", it.pg_host, it.pg_port)
}

async fn by_every_door() {
    let proxy = proxy();
    let url = format!("socks5h://me:canary%201@{}", proxy.host());
    let lakebase = setup().set("ALL_PROXY", &url).build();
    let mut connection = lakebase.connect().await.unwrap_or_else(|e| panic!("{}", e.report()));
    assert_eq!((select_one(&mut connection).await, proxy.requests()), (1, vec![asked()]));

    // A larger one may still be opening another session.
    let pool = lakebase.pool(PoolOptions::new().max_connections(1)).await.unwrap();
    assert_eq!(select_one(&pool).await, 1);
    let before = proxy.requests().len();
    assert!(before > 1, "the pool's login went elsewhere");

    // A cancel request goes to where the login went.
    let tunnel = lakebase.tunnel().await.unwrap();
    let marker = format!("pg_sleep(600 + {})", proxy.host().rsplit(':').next().unwrap());
    let statement = format!("select {marker}");
    let mut sleeper = Psql::start(psql(tunnel.url().expose()).args(["-c", &statement]));
    let mut count = 0_i64;
    while count == 0 {
        let running = "select count(*) from pg_stat_activity where state = 'active' and query = 'select ' || $1";
        count = query_scalar(running).bind(&marker).fetch_one(&mut connection).await.unwrap();
    }
    let kill = Command::new("kill").args(["-INT", &sleeper.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    until(&lakebase, "the statement is cancelled", || sleeper.status().is_some()).await;
    let error = sleeper.messages();
    assert!(error.contains("canceling statement due to user request"), "{error}");
    let requests = proxy.requests();
    assert_eq!(requests, vec![asked(); before + 2], "a login and a cancel request");
    connection.close().await.unwrap();
    pool.close().await;

    // Hosts that are exempt are reached directly, and nobody finds this one.
    let exempt = setup().set("ALL_PROXY", &url).set("NO_PROXY", &shared().description().pg_host);
    let error = log_in(exempt.set("PGCONNECT_TIMEOUT", 1).builder()).await.unwrap_err();
    assert!(error.report().contains("cannot look up host"), "{}", error.report());
    assert_eq!(proxy.requests().len(), requests.len());
}

async fn addresses_where_names_are_looked_up_here() {
    let proxy = proxy();
    let url = format!("socks5://me:canary%201@{}", proxy.host());
    let port = shared().description().pg_port;
    // By direct DNS, because the system does not know the name either.
    log_in(Setup::m2m(shared()).set("all_proxy", &url).builder()).await.unwrap();
    assert_eq!(proxy.requests(), [format!("127.0.0.1:{port}")]);
    let given = setup().set("ALL_PROXY", &url).set("PGHOSTADDR", "192.0.2.7");
    log_in(given.builder()).await.unwrap();
    assert_eq!(proxy.requests()[1..], [format!("192.0.2.7:{port}")]);
}

async fn as_the_program_says() {
    let proxy = proxy();
    let url = format!("socks5h://me:canary%201@{}", proxy.host());
    let setup = setup().set("ALL_PROXY", "socks5h://127.0.0.1:1").set("NO_PROXY", "*");
    log_in(setup.builder().postgres_proxy(url.as_str())).await.unwrap();
    assert_eq!(proxy.requests(), [asked()]);
    let none = Setup::m2m(shared()).set("ALL_PROXY", "socks5h://127.0.0.1:1");
    log_in(none.builder().postgres_proxy("")).await.unwrap();
    let error = none.builder().postgres_proxy("http://me:canary@127.0.0.1:1").build().unwrap_err();
    assert!(error.report().starts_with("postgres_proxy (set by the program): not the"), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    // A server of this machine is this machine's, whatever proxies there are.
    let local = Setup::empty().set("LAKEBASE_PG_URL", "postgresql://u:p@localhost:1/d");
    let local = local.set("ALL_PROXY", &url).set("PGCONNECT_TIMEOUT", 1);
    let error = log_in(local.builder().postgres_proxy(url.as_str())).await.unwrap_err();
    assert!(!error.report().contains("socks"), "{}", error.report());
    assert_eq!(proxy.requests().len(), 1);
    // What can be known is said before anything is tried.
    let remote = Setup::empty().set("LAKEBASE_PG_URL", "postgresql://u:p@db.example/d");
    let error = remote.set("ALL_PROXY", "socks4://127.0.0.1:1").builder().build().unwrap_err();
    assert!(
        error.report().starts_with("ALL_PROXY (environment variable): of SOCKS only"),
        "{error}"
    );
}

async fn refusals() {
    use SocksBehaviour::{LeadOnly, Reply, Silence, SilenceWhenAsked};
    let refusing = RefusingAddress::open().unwrap();
    let nobody = refusing.address();
    for (behaviour, kind, words, most) in [
        (Some(LeadOnly(nobody, "me", "x")), ErrorKind::Config, "does not accept the user", 0),
        (Some(Reply(2)), ErrorKind::PermissionDenied, "answered 2: its rules do not allow", 1),
        // What usually passes is tried again: a compute that wakes refuses connections, too.
        (Some(Reply(5)), ErrorKind::TimedOut, "answered 5: connection refused", 20),
        (Some(Silence), ErrorKind::TimedOut, "accepted TCP and did not answer within", 0),
        (Some(SilenceWhenAsked), ErrorKind::TimedOut, "was asked for the host and did not", 5),
        (None, ErrorKind::TimedOut, "onnection refused", 0),
    ] {
        let proxy = behaviour.clone().map(SocksServer::start);
        let place = proxy.as_ref().map_or(nobody.to_string(), SocksServer::host);
        let setup = setup().set("ALL_PROXY", format!("socks5h://me:canary@{place}"));
        let lakebase = setup.set("PGCONNECT_TIMEOUT", 2).build();
        let direct = lakebase.connect().await.unwrap_err();
        let options = PoolOptions::new().acquire_timeout(Duration::from_secs(2));
        let pooled = lakebase.pool(options).await.unwrap_err();
        for error in [direct, pooled] {
            let report = error.report();
            let way = format!(
                "through the proxy socks5h://{place} from ALL_PROXY (environment variable)"
            );
            assert!(report.contains(&way) && report.contains(words), "{behaviour:?}: {report}");
            assert!(!format!("{report} {error:?}").contains("canary"), "{behaviour:?}: {report}");
            assert_eq!(error.kind(), kind, "{behaviour:?}: {report}");
        }
        let count = proxy.map_or(0, |proxy| proxy.requests().len());
        assert!(count <= 2 * most, "{behaviour:?}: {count} requests");
    }
}
