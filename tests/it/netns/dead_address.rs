//! The first of two addresses swallows packets: nobody waits for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use lakebase::sqlx::Connection as _;
use lakebase::{Lakebase, PoolOptions};
use lakebase_testkit::mocks::MockHostResolver;
use lakebase_testkit::network::{DeadAddress, Link};

use super::{link, start};
use crate::support::{SOON, Setup, eventually, select_one, shared, within};

on_each_runtime! { of_a_server of_the_workspace }

/// The network of these tests swallows what is sent there.
const DEAD: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

/// A handle that knows nothing of either address yet.
fn cold(link: &Link) -> Lakebase {
    let address = link.address();
    let mut hosts = MockHostResolver::new();
    hosts.expect_resolve().returning(move |_| Ok(vec![DEAD, address.ip()]));
    let setup = Setup::m2m(shared()).set("PGPORT", address.port());
    setup.builder().host_resolver(Arc::new(hosts)).build().unwrap()
}

async fn of_a_server() {
    let link = link();
    let lakebase = cold(&link);
    let mut connection = within(&lakebase, SOON, lakebase.connect()).await.unwrap();
    assert_eq!(select_one(&mut connection).await, 1);
    connection.close().await.unwrap();

    let lakebase = cold(&link);
    let pool = within(&lakebase, SOON, lakebase.pool(PoolOptions::new())).await.unwrap();
    pool.close().await;

    // A tunnel is a proxy.
    let lakebase = cold(&link);
    let tunnel = lakebase.tunnel().await.unwrap();
    let url = tunnel.url();
    let mut psql = start(Command::new("psql"), &link, url.expose(), "select 1 \\g \\q");
    eventually(&lakebase, SOON, "psql ends", || psql.status().is_some()).await;
    assert!(psql.status().unwrap().success());
}

/// Whose name is `localhost` here: without TLS nobody else may be a workspace.
async fn of_the_workspace() {
    let host = &shared().description().host;
    let port = host.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    // One for the tests of all runtimes.
    static DEAD_ADDRESS: OnceLock<DeadAddress> = OnceLock::new();
    let open = || DeadAddress::open(Ipv6Addr::LOCALHOST.into(), port).unwrap();
    assert_eq!(DEAD_ADDRESS.get_or_init(open).address().port(), port);
    let addresses: Vec<_> =
        ("localhost", port).to_socket_addrs().unwrap().map(|it| it.ip()).collect();
    assert_eq!(addresses, [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let setup = Setup::m2m(shared()).set("DATABRICKS_HOST", format!("http://localhost:{port}"));
    let lakebase = setup.build();
    within(&lakebase, SOON, lakebase.credential()).await.unwrap();
}
