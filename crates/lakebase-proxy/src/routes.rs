//! Which server a client is sent to.

use std::sync::Arc;

use lakebase_core::connect::Connector;
use lakebase_session::Upstream;
use lakebase_session::startup::Startup;

use crate::pool::{Pool, PoolOptions};

/// A rule that sends a client to another server than the listener's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The database that the client asks for. It is also the database on the server.
    Database(String),
    /// The user that the client names. It is nothing but a name for the server: the login is the connector's.
    User(String),
}

/// A server: the connector that logs in, and the way there.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) connector: Connector,
    pub(crate) upstream: Arc<Upstream>,
    /// Where sessions are used again.
    pub(crate) pool: Option<Arc<Pool>>,
}

impl Server {
    fn new(connector: Connector, pool: Option<PoolOptions>) -> Self {
        let upstream = Arc::new(Upstream::new(Arc::clone(&connector.runtime().dial)));
        let pool = pool
            .map(|options| Arc::new(Pool::new(options, connector.clone(), Arc::clone(&upstream))));
        Self { connector, upstream, pool }
    }
}

/// A listener's servers.
#[derive(Debug)]
pub(crate) struct Routes {
    default: Server,
    others: Vec<(Route, Server)>,
}

impl Routes {
    pub(crate) fn new(
        default: Connector,
        others: Vec<(Route, Connector)>,
        pool: Option<PoolOptions>,
    ) -> Self {
        let other = |(route, connector)| (route, Server::new(connector, pool));
        Self {
            default: Server::new(default, pool),
            others: others.into_iter().map(other).collect(),
        }
    }

    /// The first route that fits, else the default.
    pub(crate) fn choose(&self, startup: &Startup) -> &Server {
        let fits = |route: &Route| match route {
            Route::Database(name) => startup.get("database") == Some(name.as_bytes()),
            Route::User(name) => startup.get("user") == Some(name.as_bytes()),
        };
        let other = self.others.iter().find(|(route, _)| fits(route));
        other.map_or(&self.default, |(_, server)| server)
    }

    /// All of them.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.default).chain(self.others.iter().map(|(_, server)| server))
    }
}
