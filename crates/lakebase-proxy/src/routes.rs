//! Which server a client is sent to.

use lakebase_core::connect::Connector;

use crate::startup::Startup;

/// What sends a client to another server than the listener's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The database that the client asks for. It is also the database on the server.
    Database(String),
    /// The user that the client names. It is nothing but a name for the server: the login is the connector's.
    User(String),
}

/// A listener's servers.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) default: Connector,
    pub(crate) others: Vec<(Route, Connector)>,
}

impl Routes {
    /// The first route that fits, else the default.
    pub(crate) fn choose(&self, startup: &Startup) -> &Connector {
        let fits = |route: &Route| match route {
            Route::Database(name) => startup.get("database") == Some(name.as_bytes()),
            Route::User(name) => startup.get("user") == Some(name.as_bytes()),
        };
        let other = self.others.iter().find(|(route, _)| fits(route));
        other.map_or(&self.default, |(_, connector)| connector)
    }

    /// All of them.
    pub(crate) fn connectors(&self) -> impl Iterator<Item = &Connector> {
        std::iter::once(&self.default).chain(self.others.iter().map(|(_, connector)| connector))
    }
}
