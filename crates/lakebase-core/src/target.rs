//! What to connect to, and its compute.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::name::{BRANCH, ENDPOINT, shape};
use crate::{BranchName, EndpointName, Error};

/// What to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The endpoint of this branch that has the wanted type.
    Branch(BranchName),
    /// This endpoint.
    Endpoint(EndpointName),
    /// The endpoint or instance with this host name. The workspace is searched for it.
    Host(Arc<str>),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => name.fmt(f),
            Self::Endpoint(name) => name.fmt(f),
            Self::Host(host) => f.write_str(host),
        }
    }
}

/// Parses the full resource name of a branch or an endpoint.
impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split('/').count() {
            4 => text.parse().map(Self::Branch),
            6 => text.parse().map(Self::Endpoint),
            _ => Err(shape(text, &format!("{BRANCH} or {ENDPOINT}"))),
        }
    }
}

/// The name of a compute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComputeName {
    /// An endpoint of Lakebase Autoscaling.
    Endpoint(EndpointName),
    /// A database instance of Lakebase Provisioned, by its name.
    Instance(Arc<str>),
}

impl ComputeName {
    /// The endpoint's id or the instance's name.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Endpoint(name) => name.endpoint(),
            Self::Instance(name) => name,
        }
    }

    /// The endpoint; `None` for an instance.
    #[must_use]
    pub fn as_endpoint(&self) -> Option<&EndpointName> {
        match self {
            Self::Endpoint(name) => Some(name),
            Self::Instance(_) => None,
        }
    }
}

impl From<EndpointName> for ComputeName {
    fn from(name: EndpointName) -> Self {
        Self::Endpoint(name)
    }
}

impl fmt::Display for ComputeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(name) => name.fmt(f),
            Self::Instance(name) => write!(f, "database instance {name}"),
        }
    }
}
