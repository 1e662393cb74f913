//! Cached credentials for an application that serves requests side by side.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, LocalBoxFuture, select, try_join};
use lakebase_core::refresh::{Expires, FlightId, Moment, Status};
use lakebase_core::{
    CredentialSource, DatabaseCredential, EndpointName, Error, ErrorKind, Result, Secret, Target,
    Timestamp,
};

use crate::bearer::Bearer;
use crate::settings::millis;
use crate::slot::{Slot, Step};
use crate::wire::percent_encode;
use crate::workspace::RETRY_PAUSE;
use crate::{Effects, Identity, Settings, Workspace};

/// Interval at which a caller polls for another caller's fetch.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// Life of a cached endpoint or user.
const FACTS_AGE: Duration = Duration::from_secs(45 * 60);

/// All values for a login to Postgres.
#[derive(Clone, Debug)]
pub struct Login {
    /// The Postgres role.
    pub user: Arc<str>,
    /// The password and when it stops working.
    pub credential: DatabaseCredential,
    /// The host to connect to, with TLS verified against this name.
    pub host: Arc<str>,
    /// The database.
    pub database: Arc<str>,
}

impl Login {
    /// The port of every endpoint.
    pub const PORT: u16 = 5432;

    /// The password.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.credential.token
    }

    /// When the password stops working, by the server's clock.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.credential.expires_at
    }

    /// `postgresql://user:token@host:5432/database?sslmode=verify-full`. Holds the token.
    #[must_use]
    pub fn connection_string(&self) -> Secret {
        let mut url = String::from("postgresql://");
        percent_encode(&mut url, &self.user);
        url.push(':');
        percent_encode(&mut url, self.token().expose());
        url.push('@');
        url.push_str(&self.host);
        url.push_str(":5432/");
        percent_encode(&mut url, &self.database);
        url.push_str("?sslmode=verify-full");
        Secret::new(url)
    }
}

/// Values that change rarely.
#[derive(Clone, Debug)]
struct Facts {
    name: EndpointName,
    host: Arc<str>,
    user: Arc<str>,
    at: Moment,
}

/// How one call waits.
#[derive(Default)]
pub struct WaitOptions<'a> {
    /// Checked while the call waits. An error ends the wait, and not the mint.
    pub ended: Option<&'a dyn Fn() -> Option<Error>>,
    /// Runs a refresh for which this caller need not wait (`ctx.waitUntil` of a worker). Without it, the caller
    /// that finds a refresh due waits for it.
    pub background: Option<&'a dyn Fn(LocalBoxFuture<'static, ()>)>,
}

impl fmt::Debug for WaitOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitOptions")
            .field("ended", &self.ended.is_some())
            .field("background", &self.background.is_some())
            .finish()
    }
}

/// Credentials that are minted on first use and refreshed on use, ahead of their expiry.
///
/// The rules are those of [`lakebase_core::refresh`]: no expired token is returned, concurrent callers cause
/// one mint, a failed refresh keeps the current token, failures are spaced. Requests share data only, so a
/// request of a worker that ends early does not affect others: they poll every 25 ms, and one of them takes
/// over when the time of the mint is over.
///
/// Clones share everything. **Cancellation:** a call may be dropped. If it was minting, the next call mints.
#[derive(Clone)]
pub struct Credentials(Rc<Inner>);

struct Inner {
    workspace: Workspace,
    login: RefCell<Slot<Login>>,
    bearer: RefCell<Slot<Bearer>>,
    facts: RefCell<Option<Facts>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&self.0.workspace.settings).finish()
    }
}

impl Credentials {
    /// An empty cache; nothing is sent and no clock is read before the first call.
    ///
    /// # Errors
    ///
    /// Those of [`Settings::check`].
    pub fn new(settings: Settings, effects: Effects) -> Result<Self> {
        let mint_limit = settings.mint_limit();
        let workspace = Workspace::new(settings, effects)?;
        // No randomness and no clock here. Instances that start together refresh together up to the
        // service's own spread; the seed only has to differ between clients.
        let seed = seed(&workspace.settings);
        let (login, bearer) = (Slot::new(seed, mint_limit), Slot::new(!seed, mint_limit));
        let (login, bearer) = (RefCell::new(login), RefCell::new(bearer));
        Ok(Self(Rc::new(Inner { workspace, login, bearer, facts: RefCell::new(None) })))
    }

    /// A login with a token that has not expired.
    ///
    /// # Errors
    ///
    /// Those of the mint, of the endpoint and of the user, if there is no token. The same error is returned without a
    /// request until the next attempt is due.
    pub async fn get(&self) -> Result<Login> {
        self.get_with(WaitOptions::default()).await
    }

    /// The same, with control of the wait.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and what [`WaitOptions::ended`] says.
    pub async fn get_with(&self, wait: WaitOptions<'_>) -> Result<Login> {
        self.share(&wait).await
    }

    /// An OAuth token of the workspace, for its other APIs and for the Data API. It is shared and refreshed like logins. A
    /// token or provider of the settings is returned as it is.
    ///
    /// # Errors
    ///
    /// Those of the request for the token, and those of [`WaitOptions::ended`].
    pub async fn workspace_token(&self, wait: WaitOptions<'_>) -> Result<Secret> {
        match &self.0.workspace.settings.identity {
            Identity::ServicePrincipal { .. } | Identity::Federated { .. } => {
                Ok(self.share::<Bearer>(&wait).await?.token)
            }
            Identity::Token(_) | Identity::Provider(_) => {
                let mut work = std::pin::pin!(self.0.workspace.in_time(self.0.workspace.bearer()));
                loop {
                    if let Some(error) = wait.ended.and_then(|ended| ended()) {
                        return Err(error);
                    }
                    let look = self.0.workspace.effects.timer.sleep(LOOK_AGAIN);
                    if let Either::Left((result, _)) = select(work.as_mut(), look).await {
                        return Ok(result?.0);
                    }
                }
            }
        }
    }

    async fn share<T: Shared>(&self, wait: &WaitOptions<'_>) -> Result<T> {
        let inner = &self.0;
        let mint_limit = inner.workspace.settings.mint_limit();
        let begun = inner.workspace.now();
        let ended = || wait.ended.and_then(|ended| ended());
        loop {
            if let Some(error) = ended() {
                return Err(error);
            }
            let step = T::slot(inner).borrow_mut().step(inner.workspace.now());
            match step {
                Step::Take(value) => return Ok(value),
                Step::Fail(error) => return Err(error),
                Step::Lead { flight, force, retry, living } => {
                    let work = Box::pin(Rc::clone(inner).fly::<T>(flight, force, retry));
                    if let (Some(value), Some(background)) = (living, wait.background) {
                        background(work);
                        return Ok(value);
                    }
                    self.lead(work, wait).await;
                }
                Step::Wait if inner.workspace.now().since(begun) > mint_limit * 2 => {
                    let text =
                        format!("no credential arrived within {} ms", millis(mint_limit * 2));
                    return Err(Error::new(ErrorKind::TimedOut, text));
                }
                Step::Wait => inner.workspace.effects.timer.sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Runs `work` as long as this caller waits.
    async fn lead(&self, mut work: LocalBoxFuture<'static, ()>, wait: &WaitOptions<'_>) {
        let Some(ended) = wait.ended else { return work.await };
        loop {
            let look = self.0.workspace.effects.timer.sleep(LOOK_AGAIN);
            match select(work, look).await {
                Either::Left(_) => return,
                Either::Right(((), rest)) if ended().is_some() => {
                    if let Some(detach) = self.0.workspace.effects.detach {
                        detach(rest);
                    }
                    return;
                }
                Either::Right(((), rest)) => work = rest,
            }
        }
    }

    /// Drops `token` if it is the current one, so the next call fetches another. For tokens that Postgres or the Data API
    /// refused. It works twice in a row, then once in 30 s.
    pub fn invalidate(&self, token: &str) {
        let refused = Secret::new(token);
        let now = self.0.workspace.now();
        self.0.login.borrow_mut().refuse(now, |login| login.token().same_as(&refused));
        let mut bearer = self.0.bearer.borrow_mut();
        bearer.refuse(now, |bearer| bearer.token.same_as(&refused));
    }

    /// The state of the cached login. Sends nothing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.login.borrow().status(self.0.workspace.now())
    }
}

/// The values that callers share, each in its slot.
trait Shared: Clone + 'static {
    fn slot(inner: &Inner) -> &RefCell<Slot<Self>>;
    fn attempt(inner: &Inner, force: bool) -> LocalBoxFuture<'_, Result<Self>>;
    /// The life it has at `started`.
    fn lifetime(&self, started: Moment) -> Duration;
    fn same(&self, other: &Self) -> bool;
}

impl Shared for Login {
    fn slot(inner: &Inner) -> &RefCell<Slot<Self>> {
        &inner.login
    }

    fn attempt(inner: &Inner, force: bool) -> LocalBoxFuture<'_, Result<Self>> {
        Box::pin(inner.attempt(force))
    }

    fn lifetime(&self, started: Moment) -> Duration {
        self.credential.lifetime(started.wall)
    }

    fn same(&self, other: &Self) -> bool {
        self.credential.same_as(&other.credential)
    }
}

impl Shared for Bearer {
    fn slot(inner: &Inner) -> &RefCell<Slot<Self>> {
        &inner.bearer
    }

    fn attempt(inner: &Inner, force: bool) -> LocalBoxFuture<'_, Result<Self>> {
        if force {
            inner.workspace.forget(None);
        }
        Box::pin(inner.workspace.young_bearer())
    }

    fn lifetime(&self, started: Moment) -> Duration {
        self.left(started)
    }

    fn same(&self, other: &Self) -> bool {
        self.token.same_as(&other.token)
    }
}

impl Inner {
    /// One flight: up to two attempts, whose outcome goes to the slot.
    async fn fly<T: Shared>(self: Rc<Self>, flight: FlightId, force: bool, retry: bool) {
        let unreported = Unreported::<T> { inner: &self, flight, kind: PhantomData };
        let mut started = self.workspace.now();
        let mut result = self.workspace.in_time(T::attempt(&self, force)).await;
        if retry && result.as_ref().is_err_and(never_arrived) {
            self.workspace.effects.timer.sleep(RETRY_PAUSE).await;
            started = self.workspace.now();
            result = self.workspace.in_time(T::attempt(&self, force)).await;
        }
        let now = self.workspace.now();
        let result = result.map(|value| {
            let lifetime = value.lifetime(started);
            (value, lifetime)
        });
        T::slot(&self).borrow_mut().complete(now, flight, started, result, T::same);
        drop(unreported);
    }

    async fn attempt(&self, force: bool) -> Result<Login> {
        let workspace = &self.workspace;
        let settings = &workspace.settings;
        let now = workspace.now();
        let known = self.facts.borrow().clone();
        let known = known.filter(|facts| now.since(facts.at) < FACTS_AGE);
        if force {
            workspace.forget(None);
        }
        let name = match (&known, &settings.target) {
            (Some(facts), _) => Some(facts.name.clone()),
            (None, Target::Endpoint(name)) => Some(name.clone()),
            (None, Target::Branch(_) | Target::Host(_)) => None,
        };
        let (name, found) = match name {
            Some(name) => (name, None),
            None => workspace.endpoint().await?,
        };
        // First of all, so that what follows side by side has it already.
        workspace.bearer().await?;
        let request = settings.request(name.clone());
        let mint = workspace.fetch(&request);
        let facts: LocalBoxFuture<'_, Result<_>> = Box::pin(async {
            if let Some(facts) = &known {
                return Ok((Arc::clone(&facts.host), Arc::clone(&facts.user)));
            }
            let host = match settings.pg_host.clone().or(found) {
                Some(host) => host,
                None => workspace.endpoint_host(&name).await?,
            };
            Ok((host, workspace.user().await?))
        });
        let (credential, (host, user)) = try_join(mint, facts).await?;
        if known.is_none() {
            let (user, host) = (Arc::clone(&user), Arc::clone(&host));
            *self.facts.borrow_mut() = Some(Facts { name, host, user, at: now });
        }
        Ok(Login { user, credential, host, database: Arc::clone(&settings.database) })
    }
}

/// Reports a dropped flight to the slot, so another can start at once. After a report it does nothing.
struct Unreported<'a, T: Shared> {
    inner: &'a Inner,
    flight: FlightId,
    kind: PhantomData<T>,
}

impl<T: Shared> Drop for Unreported<'_, T> {
    fn drop(&mut self) {
        T::slot(self.inner).borrow_mut().abandon(self.inner.workspace.now(), self.flight);
    }
}

/// Whether the request did not reach the service, so a retry at once is no load.
fn never_arrived(error: &Error) -> bool {
    let unanswered = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut);
    unanswered && error.status().is_none() && error.retry_after().is_none()
}

/// FNV-1a over the values that distinguish clients.
fn seed(settings: &Settings) -> u64 {
    let identity = settings.identity.client_id().map_or("", |id| id);
    let target = match &settings.target {
        Target::Endpoint(name) => name.as_str(),
        Target::Branch(name) => name.as_str(),
        Target::Host(host) => host,
    };
    settings
        .host
        .as_str()
        .bytes()
        .chain(target.bytes())
        .chain(identity.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
