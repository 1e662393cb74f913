//! The two sides of `lakebase proxy`: the server's packets stop, and the host of its clients vanishes.

use std::net::IpAddr;
use std::process::Command;

use lakebase::Lakebase;
use lakebase::core::Secret;
use lakebase_proxy::{Address, Limits, Listener, PoolOptions, Proxy};

use super::{GIVEN_UP, Onlooker, behind, link, start};
use crate::support::{Setup, eventually, on_tokio, shared};

const PASSWORD: &str = "open-sesame";

/// Serves for as long as the test runs; the URL of the address.
async fn serve(lakebase: &Lakebase, ip: IpAddr, pool: Option<PoolOptions>) -> String {
    let listener = Listener::new(Address::Tcp((ip, 0).into()), lakebase.connector().clone());
    let listener = pool.into_iter().fold(listener, Listener::pool);
    let listener = listener.allow_remote(true).password(Secret::new(PASSWORD));
    let proxy = Proxy::bind([listener], Limits::default()).await.unwrap();
    let Address::Tcp(address) = proxy.addresses().unwrap()[0] else { unreachable!() };
    drop(tokio::spawn(proxy.run(std::future::pending())));
    format!("postgresql://somebody:{PASSWORD}@{address}/")
}

#[test]
fn a_client_is_told_that_the_server_s_packets_stopped() {
    on_tokio(async {
        let link = link();
        let lakebase = behind(&link).build();
        let mut onlooker = Onlooker::of(&link).await;
        let url = serve(&lakebase, [127, 0, 0, 1].into(), None).await;
        let mut psql = start(Command::new("psql"), &link, &url, "select pg_sleep(300);");
        onlooker.until(1, "active").await;
        link.down().unwrap();
        eventually(&lakebase, GIVEN_UP, "psql ends", || psql.status().is_some()).await;
        assert!(!psql.status().unwrap().success());
    });
}

#[test]
fn sessions_end_whose_client_vanished() {
    clients_vanish(None);
}

#[test]
fn so_do_those_of_a_pool() {
    clients_vanish(Some(PoolOptions::default()));
}

/// One client waits for an answer, one reads more than it is given time for, one thinks within a transaction.
fn clients_vanish(pool: Option<PoolOptions>) {
    on_tokio(async {
        let link = link();
        let lakebase = Setup::m2m(shared()).build();
        let mut onlooker = Onlooker::of(&link).await;
        let url = serve(&lakebase, link.near(), pool).await;
        // In the list, not after `from`, where the server would write all rows to a file first.
        let reads = "copy (select generate_series(1, 1000000000), repeat('x', 1000)) to stdout;";
        let clients = ["select pg_sleep(300);", reads, "begin; select 1;"];
        let clients = clients.map(|sql| start(link.beyond("psql"), &link, &url, sql));
        onlooker.until(2, "active").await;
        onlooker.until(1, "idle in transaction").await;
        link.down().unwrap();
        onlooker.until(0, "%").await;
        drop(clients);
    });
}
