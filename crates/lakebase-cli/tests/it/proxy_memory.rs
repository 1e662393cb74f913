//! `lakebase proxy` in front of servers that misbehave: the client gets an error, and the process does not grow.

use lakebase_testkit::bad_server::{BadServer, MODES};
use lakebase_testkit::memory::Resident;

use crate::proxy::Running;
use crate::support::bare;

/// What a login that fails may add, at its highest.
const LIMIT_KIB: u64 = 10 * 1024;

#[test]
fn no_misbehaving_server_takes_memory() {
    for (mode, _) in MODES {
        let server = BadServer::start(mode);
        let mut command = bare();
        command
            .env("LAKEBASE_PG_URL", format!("postgresql://u:p@127.0.0.1:{}/d", server.port()))
            .env("PGCONNECT_TIMEOUT", "1")
            .args(["proxy", "--json", "--listen", "127.0.0.1:0"]);
        let proxy = Running::spawn(&mut command);
        let memory = Resident::of(proxy.id());
        let before = memory.now_kib();
        let output = proxy.psql(0, &["-d", "d", "-c", "select 1"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("FATAL"), "{mode}: {told}");
        let grown = memory.peak_kib().saturating_sub(before);
        assert!(grown <= LIMIT_KIB, "{mode}: {grown} KiB more");
    }
}
