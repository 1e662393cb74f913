//! What all modules share: runtimes, emulators, settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lakebase::core::connect::ConnectPolicy;
use lakebase::core::{Clock, Environment, Timer};
use lakebase::sqlx::{Connection as _, PgExecutor, query_scalar};
use lakebase::{Builder, Error, Lakebase};
use lakebase_emulator::{Emulator, EndpointKind};

/// Makes a test of each `async fn`, on each runtime.
macro_rules! on_each_runtime {
    ($($name:ident)*) => { on_each_runtime! { $($name: super::$name(),)* } };
    ($($name:ident: $test:expr,)*) => { $(
        mod $name {
            #[cfg(feature = "tokio")]
            #[test]
            fn tokio() {
                crate::support::on_tokio($test);
            }

            #[cfg(feature = "async-std")]
            #[test]
            fn async_std() {
                crate::support::on_async_std($test);
            }

            #[cfg(feature = "smol")]
            #[test]
            fn smol() {
                crate::support::on_smol($test);
            }
        }
    )* };
}

/// A test that waits in vain fails after this long.
const LONGEST: Duration = Duration::from_secs(6 * 60);
const ENDLESS: &str = "the test has not ended";

/// Runs `test` on a runtime of its own.
#[cfg(feature = "tokio")]
pub(crate) fn on_tokio<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let test = async { tokio::time::timeout(LONGEST, test).await.expect(ENDLESS) };
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(test)
}

/// Runs `test` on the one runtime of the process.
#[cfg(feature = "async-std")]
pub(crate) fn on_async_std<T>(test: impl Future<Output = T>) -> T {
    let test = async { async_std::future::timeout(LONGEST, test).await.expect(ENDLESS) };
    async_std::task::block_on(test)
}

/// Runs `test` on the one runtime of the process.
#[cfg(feature = "smol")]
pub(crate) fn on_smol<T>(test: impl Future<Output = T>) -> T {
    smol::block_on(smol::future::or(test, async {
        smol::Timer::after(LONGEST).await;
        panic!("{ENDLESS}")
    }))
}

/// Runs `test`, which is the same on every runtime, on one that there is.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    #[cfg(feature = "tokio")]
    return on_tokio(test);
    #[cfg(all(feature = "smol", not(feature = "tokio")))]
    return on_smol(test);
    #[cfg(all(feature = "async-std", not(any(feature = "tokio", feature = "smol"))))]
    return on_async_std(test);
}

/// The emulator of tests that change nothing in it.
pub(crate) fn shared() -> &'static Emulator {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    EMULATOR.get_or_init(|| Emulator::builder().start().unwrap())
}

/// A running read-write endpoint of `emulator` that no other test knows, in a project of its own: its full
/// name and its host. Faults that are confined to either disturb nobody.
pub(crate) fn endpoint(emulator: &Emulator) -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("projects/own{number}/branches/production/endpoints/own{number}");
    emulator.add_endpoint(&name, EndpointKind::ReadWrite).unwrap();
    let host = emulator.endpoint_host(&name, false).unwrap();
    (name, host)
}

/// A handle of such an endpoint, with its name.
pub(crate) fn own_endpoint() -> (String, Lakebase) {
    let (name, _) = endpoint(shared());
    let lakebase = Setup::m2m(shared()).endpoint(&name).build();
    (name, lakebase)
}

/// The emulator whose workspace speaks HTTPS, of tests that change nothing in it.
pub(crate) fn secure() -> &'static Emulator {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    EMULATOR.get_or_init(|| Emulator::builder().https(true).start().unwrap())
}

/// A port of loopback that was free a moment ago.
#[cfg(feature = "proxies")]
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The full name of the endpoint that `lakebase` connects to.
pub(crate) async fn endpoint_name(lakebase: &Lakebase) -> String {
    lakebase.endpoint().await.unwrap().unwrap().name.to_string()
}

/// What the server answers to a statement that has no other answer than 1.
pub(crate) async fn select_one<'c>(executor: impl PgExecutor<'c>) -> i32 {
    query_scalar("select 1").fetch_one(executor).await.unwrap()
}

/// Logs in once and asks for a row.
pub(crate) async fn log_in(builder: Builder) -> Result<(), Error> {
    let mut connection = builder.build()?.connect().await?;
    assert_eq!(select_one(&mut connection).await, 1);
    connection.close().await.unwrap();
    Ok(())
}

/// Who is logged in at the server.
pub(crate) async fn current_user(lakebase: &Lakebase) -> Result<String, Error> {
    let mut connection = lakebase.connect().await?;
    let user = query_scalar("select current_user::text").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    Ok(user)
}

/// Variables and files that a program finds, instead of the process's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl Setup {
    /// Nothing is set.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// Where `emulator` is, without an identity or a target.
    pub(crate) fn place(emulator: &Emulator) -> Self {
        let it = emulator.description();
        Self::empty()
            .set("DATABRICKS_HOST", &it.host)
            .set("LAKEBASE_DNS", &it.dns)
            .set("PGPORT", it.pg_port)
            .set("PGSSLROOTCERT", "/emulated/ca.pem")
            .file("/emulated/ca.pem", emulator.ca_pem())
    }

    /// As the service principal, to the read-write endpoint by its full name.
    pub(crate) fn m2m(emulator: &Emulator) -> Self {
        let it = emulator.description();
        Self::place(emulator)
            .set("DATABRICKS_CLIENT_ID", &it.client_id)
            .set("DATABRICKS_CLIENT_SECRET", &it.client_secret)
            .set("LAKEBASE_ENDPOINT", &it.endpoint)
    }

    /// As the user with the personal access token, to the same endpoint.
    pub(crate) fn pat(emulator: &Emulator) -> Self {
        let it = emulator.description();
        Self::place(emulator)
            .set("DATABRICKS_TOKEN", &it.token)
            .set("LAKEBASE_ENDPOINT", &it.endpoint)
    }

    /// As the role with the native password, to the same endpoint.
    pub(crate) fn password(emulator: &Emulator) -> Self {
        let it = emulator.description();
        Self::m2m(emulator).set("PGUSER", &it.password_user).set("PGPASSWORD", &it.password)
    }

    /// With the variable `name`.
    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.insert(name.to_owned(), value.to_string());
        self
    }

    /// Without the variable `name`.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// To the endpoint `name`.
    pub(crate) fn endpoint(self, name: &str) -> Self {
        self.set("LAKEBASE_ENDPOINT", name)
    }

    /// With another branch of the project, whose endpoint is found by type.
    pub(crate) fn branch(self, project: &str, branch: &str) -> Self {
        self.unset("LAKEBASE_ENDPOINT")
            .set("LAKEBASE_PROJECT", project)
            .set("LAKEBASE_BRANCH", branch)
    }

    /// With the file `path`.
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    /// What a program reads these from.
    pub(crate) fn environment(&self) -> Environment {
        let Self { variables, files } = self.clone();
        Environment::new(
            move |name| variables.get(name).cloned(),
            move |path| files.get(path).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into()),
        )
    }

    /// A builder that reads these.
    pub(crate) fn builder(&self) -> Builder {
        let builder = Lakebase::builder().environment(self.environment());
        #[cfg(feature = "http-reqwest")]
        let builder = builder.reqwest(true);
        #[cfg(feature = "http-surf")]
        let builder = builder.surf(true);
        builder
    }

    /// The handle.
    pub(crate) fn build(&self) -> Lakebase {
        self.builder().build().unwrap()
    }

    /// The handle, whose logins may take this long.
    pub(crate) fn build_within(&self, budget: Duration) -> Lakebase {
        let policy = ConnectPolicy { budget, ..ConnectPolicy::default() };
        self.builder().connect_policy(policy).build().unwrap()
    }

    /// The first error on the way to a connection.
    pub(crate) async fn refused(&self) -> Error {
        let lakebase = match self.builder().build() {
            Ok(lakebase) => lakebase,
            Err(error) => return error,
        };
        lakebase.connect().await.map(drop).expect_err("the connection was accepted")
    }
}

/// It waited for something dead, or it did not: those who wait do so for a minute.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// What `work` returns, which must not take longer than `limit`.
pub(crate) async fn within<T>(
    lakebase: &Lakebase,
    limit: Duration,
    work: impl Future<Output = T>,
) -> T {
    let clock: &dyn Clock = &*lakebase.connector().runtime().clock;
    let started = clock.monotonic();
    let result = work.await;
    let took = clock.monotonic() - started;
    assert!(took < limit, "it took {took:?}");
    result
}

/// Waits until `fulfilled`; panics after ten seconds.
pub(crate) async fn until(lakebase: &Lakebase, what: &str, fulfilled: impl FnMut() -> bool) {
    eventually(lakebase, SOON, what, fulfilled).await;
}

/// Waits until `fulfilled`; panics after `limit`.
pub(crate) async fn eventually(
    lakebase: &Lakebase,
    limit: Duration,
    what: &str,
    mut fulfilled: impl FnMut() -> bool,
) {
    const PAUSE: Duration = Duration::from_millis(5);
    let timer: &dyn Timer = &*lakebase.connector().runtime().timer;
    let mut left = limit;
    while !fulfilled() {
        left = left.checked_sub(PAUSE).unwrap_or_else(|| panic!("waited in vain until {what}"));
        timer.sleep(PAUSE).await;
    }
}
