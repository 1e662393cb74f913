//! The options of an emulator, before it starts.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::world::{SessionEnd, Suspension, WakeStyle};

type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Settings of an [`Emulator`](crate::Emulator). The defaults suit a test: a clock at real speed, pages of one, no suspension by itself.
#[derive(Clone)]
#[must_use]
pub struct Config {
    pub(crate) acceleration: f64,
    pub(crate) suspension: Suspension,
    pub(crate) page_size: usize,
    /// Projects, and branches of each.
    pub(crate) decoys: (usize, usize),
    pub(crate) workspace_token_lifetime: Duration,
    pub(crate) database_token_lifetime: Duration,
    pub(crate) pat_lifetime: Option<Duration>,
    pub(crate) max_connections: u32,
    pub(crate) exposed_schemas: Vec<String>,
    pub(crate) https: bool,
    pub(crate) token_path: String,
    pub(crate) client_id: Option<String>,
    pub(crate) postgres_bin: Option<PathBuf>,
    pub(crate) lookup: Lookup,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            acceleration: 1.0,
            suspension: Suspension {
                session_idle: None,
                session_age: None,
                after: None,
                wake_delay: Duration::from_millis(500),
                style: WakeStyle::Hold,
                end: SessionEnd::Terminate,
            },
            page_size: 1,
            decoys: (0, 0),
            workspace_token_lifetime: Duration::from_secs(3_600),
            database_token_lifetime: Duration::from_secs(3_600),
            pat_lifetime: None,
            max_connections: 104,
            exposed_schemas: vec!["public".to_owned()],
            https: false,
            token_path: "/oidc/v1/token".to_owned(),
            client_id: None,
            postgres_bin: None,
            lookup: Arc::new(process_environment),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the default look-up of this crate's one setting")]
fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Config {
    /// How many emulated seconds pass in a real one. Default 1; 0 stops the clock; at most 1 000 000.
    pub fn acceleration(mut self, factor: f64) -> Self {
        self.acceleration = factor;
        self
    }

    /// Emulated time without traffic after which an endpoint is suspended. Default: never by itself.
    pub fn suspend_after(mut self, idle: Duration) -> Self {
        self.suspension.after = Some(idle);
        self
    }

    /// Emulated time from the first login at a suspended endpoint until it is awake. Default 500 ms.
    pub fn wake_delay(mut self, delay: Duration) -> Self {
        self.suspension.wake_delay = delay;
        self
    }

    /// How logins are treated during a wake-up. Default: they are held.
    pub fn wake_style(mut self, style: WakeStyle) -> Self {
        self.suspension.style = style;
        self
    }

    /// Emulated time without traffic after which a session ends; the service's is 24 hours. Default: none.
    pub fn session_idle_limit(mut self, idle: Duration) -> Self {
        self.suspension.session_idle = Some(idle);
        self
    }

    /// Emulated time after which a session ends even in use; the service's is three days. Default: none.
    pub fn session_age_limit(mut self, age: Duration) -> Self {
        self.suspension.session_age = Some(age);
        self
    }

    /// How sessions end at a suspension or a limit. Default: SQLSTATE 57P01.
    pub fn session_end(mut self, end: SessionEnd) -> Self {
        self.suspension.end = end;
        self
    }

    /// Most entries on a page of a list. Default 1, so that paging is always needed.
    pub fn page_size(mut self, entries: usize) -> Self {
        self.page_size = entries;
        self
    }

    /// More projects, listed before all others, each with so many branches with two endpoints each. Default: none; more than 10 000
    /// projects and branches make [`start`](Self::start) fail.
    pub fn decoys(mut self, projects: usize, branches: usize) -> Self {
        self.decoys = (projects, branches);
        self
    }

    /// Lifetime of OAuth tokens in emulated time. Default one hour.
    pub fn workspace_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.workspace_token_lifetime = lifetime;
        self
    }

    /// Lifetime of database credentials for which the client asks none, in emulated time. Default one hour.
    pub fn database_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.database_token_lifetime = lifetime;
        self
    }

    /// Lifetime of the personal access token in emulated time. Default: for ever.
    pub fn pat_lifetime(mut self, lifetime: Duration) -> Self {
        self.pat_lifetime = Some(lifetime);
        self
    }

    /// Sessions that one endpoint accepts at a time. Default 104, as the smallest size of the service; at most 1000.
    pub fn max_connections(mut self, sessions: u32) -> Self {
        self.max_connections = sessions.min(1_000);
        self
    }

    /// Schemas that the Data API serves. Default: `public`.
    pub fn exposed_schemas<S: Into<String>>(
        mut self,
        schemas: impl IntoIterator<Item = S>,
    ) -> Self {
        self.exposed_schemas = schemas.into_iter().map(Into::into).collect();
        self
    }

    /// Serves the workspace API by HTTPS on `localhost`, with a certificate of the emulator's authority. Default: plain HTTP.
    pub fn https(mut self, https: bool) -> Self {
        self.https = https;
        self
    }

    /// Path of the token endpoint; the documented `/oidc/v1/token` then answers 404, and only the
    /// well-known document leads on. Default: the documented path.
    pub fn token_path(mut self, path: impl Into<String>) -> Self {
        self.token_path = path.into();
        self
    }

    /// Client id of the service principal, which is its Postgres role too. Default: a random UUID.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// Folder with `postgres` and `initdb`. Default: `LAKEBASE_POSTGRES_BIN`, `PATH`, the usual folders.
    pub fn postgres_bin(mut self, folder: impl Into<PathBuf>) -> Self {
        self.postgres_bin = Some(folder.into());
        self
    }

    /// Where `LAKEBASE_POSTGRES_BIN` and `PATH` are looked up. Default: the process environment.
    pub fn lookup(
        mut self,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.lookup = Arc::new(lookup);
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("acceleration", &self.acceleration)
            .field("suspension", &self.suspension)
            .field("https", &self.https)
            .field("postgres_bin", &self.postgres_bin)
            .finish_non_exhaustive()
    }
}
