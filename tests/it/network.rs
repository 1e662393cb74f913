//! Addresses that swallow packets, beside one that answers: no connection waits for them for long.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::join_all;
use lakebase::core::ErrorKind;
use lakebase::core::connect::ConnectPolicy;
use lakebase::sqlx::Connection as _;
use lakebase::{Lakebase, LakebasePool, PoolOptions, RecyclingOptions};
use lakebase_testkit::mocks::MockHostResolver;
use lakebase_testkit::network::{DeadAddress, ForgetfulLink};

use crate::log::{Log, listen};
use crate::psql::psql;
use crate::support::{SOON, Setup, block_on, select_one, shared, until, within};
use crate::tokio_postgres::pool::kinds;

on_each_runtime! {
    a_dead_address_costs_little
    a_pool_passes_over_it_for_every_clone
    so_does_a_tunnel
    the_workspace_may_have_one_too
    when_all_are_dead_each_is_named
    idle_connections_that_were_forgotten
}

const DEAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const REFUSES: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
const ALIVE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The dead address beside the emulator's Postgres, there until the process ends.
fn dead() -> &'static DeadAddress {
    static DEAD_ADDRESS: OnceLock<DeadAddress> = OnceLock::new();
    DEAD_ADDRESS.get_or_init(|| DeadAddress::open(DEAD, shared().description().pg_port).unwrap())
}

/// A handle whose server is at these addresses.
fn at(addresses: &[IpAddr], policy: ConnectPolicy) -> Lakebase {
    let addresses = addresses.to_vec();
    let mut hosts = MockHostResolver::new();
    hosts.expect_resolve().returning(move |_| Ok(addresses.clone()));
    let builder = Setup::m2m(shared()).builder().host_resolver(Arc::new(hosts));
    builder.connect_policy(policy).build().unwrap()
}

async fn a_dead_address_costs_little() {
    assert_eq!(dead().address().ip(), DEAD);
    for addresses in [[DEAD, ALIVE], [REFUSES, ALIVE]] {
        let lakebase = at(&addresses, ConnectPolicy::default());
        for _ in 0..2 {
            let mut connection = within(&lakebase, SOON, lakebase.connect()).await.unwrap();
            assert_eq!(select_one(&mut connection).await, 1);
            connection.close().await.unwrap();
            drop(within(&lakebase, SOON, lakebase.tokio_postgres()).await.unwrap());
        }
    }
}

async fn a_pool_passes_over_it_for_every_clone() {
    assert_eq!(dead().address().ip(), DEAD);
    let lakebase = at(&[DEAD, ALIVE], ConnectPolicy::default());
    let pool = within(&lakebase, SOON, lakebase.pool(PoolOptions::new())).await.unwrap();
    let plain: lakebase::sqlx::PgPool = (*pool).clone();
    drop(pool);
    let connections = within(&lakebase, SOON, async {
        [plain.acquire().await.unwrap(), plain.acquire().await.unwrap()]
    });
    assert_eq!(connections.await.len(), 2);
    plain.close().await;
    for kind in kinds() {
        let pool = within(&lakebase, SOON, kind.open(&lakebase, 2, RecyclingOptions::new()))
            .await
            .unwrap();
        within(&lakebase, SOON, pool.warm_up(2)).await;
    }
}

async fn so_does_a_tunnel() {
    assert_eq!(dead().address().ip(), DEAD);
    let lakebase = at(&[DEAD, ALIVE], ConnectPolicy::default());
    let tunnel = lakebase.tunnel().await.unwrap();
    let mut psql = psql(tunnel.url().expose());
    psql.args(["-c", "select 1"]);
    let output = within(&lakebase, SOON, async { psql.output().unwrap() }).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"1\n");
}

async fn the_workspace_may_have_one_too() {
    let host = &shared().description().host;
    let port = host.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    // Where `localhost` is an address of version 6, too, that one is dead.
    let _dead = DeadAddress::open("::1".parse().unwrap(), port);
    let setup = Setup::m2m(shared()).set("DATABRICKS_HOST", format!("http://localhost:{port}"));
    let lakebase = setup.build();
    for _ in 0..2 {
        within(&lakebase, SOON, lakebase.credential()).await.unwrap();
    }
}

async fn when_all_are_dead_each_is_named() {
    let port = dead().address().port();
    let budget = Duration::from_secs(5);
    let lakebase = at(&[DEAD, REFUSES], ConnectPolicy { budget, ..ConnectPolicy::default() });
    let direct = within(&lakebase, SOON, lakebase.connect()).await.unwrap_err();
    let options = PoolOptions::new().acquire_timeout(budget);
    let pooled = within(&lakebase, SOON, lakebase.pool(options)).await.unwrap_err();
    for error in [direct, pooled] {
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
        let report = error.report();
        for place in [format!("{DEAD}:{port}: no answer"), format!("{REFUSES}:{port}: Connection")]
        {
            assert!(report.contains(&place), "{report}");
        }
    }
}

/// A pool through `link`, with `count` idle connections that are checked whenever they were idle at all.
async fn idle(link: &ForgetfulLink, count: u32) -> (Lakebase, LakebasePool) {
    let lakebase = Setup::m2m(shared())
        .set("PGHOSTADDR", link.address().ip())
        .set("PGPORT", link.address().port())
        .build();
    let options = PoolOptions::new().max_connections(count).ping_after_idle(Duration::ZERO);
    let pool = lakebase.pool(options).await.unwrap();
    pool.warm_up(count).await.unwrap();
    // sqlx looks at each once more when it is released.
    until(&lakebase, "all are idle", || pool.num_idle() == count as usize).await;
    (lakebase, pool)
}

/// Load balancers forget idle connections, and the first that anybody notices is silence.
async fn idle_connections_that_were_forgotten() {
    let server = (Ipv4Addr::LOCALHOST, shared().description().pg_port).into();
    let link = ForgetfulLink::open(server).unwrap();
    let (lakebase, pool) = idle(&link, 10).await;
    link.forget();
    // As many tasks as there were connections: none gets an error, and none waits a minute.
    let asks = (0..10).map(|_| select_one(&pool));
    assert_eq!(within(&lakebase, SOON, join_all(asks)).await, [1; 10]);
    // One task meets them all, one after the other: the first costs two seconds, the others little.
    let (lakebase, pool) = idle(&link, 10).await;
    link.forget();
    assert_eq!(within(&lakebase, SOON, select_one(&pool)).await, 1);
}

/// Checkouts that met them tell how many, together and not one by one.
#[test]
fn what_was_replaced_is_counted() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    listen(subscriber, || {
        block_on(async {
            let server = (Ipv4Addr::LOCALHOST, shared().description().pg_port).into();
            let link = ForgetfulLink::open(server).unwrap();
            let (lakebase, pool) = idle(&link, 3).await;
            link.forget();
            log.take();
            let asks = (0..3).map(|_| select_one(&pool));
            assert_eq!(within(&lakebase, SOON, join_all(asks)).await, [1; 3]);
        });
    });
    let log = log.take();
    let counts = log.lines().filter_map(|line| {
        let (_, count) = line.split_once(" replaced count=")?;
        count.trim().parse::<u32>().ok()
    });
    assert_eq!(counts.sum::<u32>(), 3, "{log}");
}
