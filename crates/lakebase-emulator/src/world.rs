//! What exists in the emulated workspace: projects, branches, endpoints, identities and roles.
//!
//! Invariant: the read-only endpoint of the default branch is listed before the read-write one, so that
//! clients that take the first are found out.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::random;

/// Host names of the front door end in this; no public resolver knows it (RFC 6761, `.test`).
pub(crate) const SUFFIX: &str = "database.us-west-2.emulator.lakebase.test";
/// The read-write endpoint of the default branch.
pub(crate) const PRIMARY: &str = "projects/demo/branches/production/endpoints/primary";
/// Database of every endpoint, as the service names it.
pub(crate) const DATABASE: &str = "databricks_postgres";

/// Kind of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndpointKind {
    /// Reads and writes; one per branch.
    ReadWrite,
    /// Reads only.
    ReadOnly,
    /// A kind that today's clients do not know.
    Unknown,
}

impl EndpointKind {
    pub(crate) fn wire(self) -> &'static str {
        match self {
            Self::ReadWrite => "ENDPOINT_TYPE_READ_WRITE",
            Self::ReadOnly => "ENDPOINT_TYPE_READ_ONLY",
            Self::Unknown => "ENDPOINT_TYPE_TIME_TRAVEL",
        }
    }
}

/// Compute of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compute {
    Init,
    Active,
    Suspended,
    /// Becomes active when the emulated clock gets there.
    Waking(SystemTime),
}

/// What a login sees while a suspended endpoint wakes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WakeStyle {
    /// The login takes as long as the wake-up.
    #[default]
    Hold,
    /// SQLSTATE 57P03, `the database system is starting up`.
    StartingUp,
    /// XX000, `External authorization failed`, with the detail that names paused instances.
    Paused,
    /// The connection ends without an answer.
    Drop,
}

/// How sessions end when their endpoint is suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SessionEnd {
    /// SQLSTATE 57P01, then the end of the connection.
    #[default]
    Terminate,
    /// The end of the connection alone.
    Close,
}

#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// `projects/p/branches/b/endpoints/e`.
    pub(crate) name: String,
    pub(crate) kind: EndpointKind,
    /// First label of the host name.
    pub(crate) uid: String,
    pub(crate) disabled: bool,
    pub(crate) compute: Compute,
    pub(crate) last_active: SystemTime,
    pub(crate) counters: Counters,
}

/// What happened at one endpoint so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Logins that reached the database.
    pub accepted: u64,
    /// Logins refused by the front door, whatever the reason.
    pub refused: u64,
    /// Times a login started a wake-up.
    pub wakes: u64,
    /// Sessions open now.
    pub open: u64,
    /// Most sessions open at one time.
    pub peak: u64,
}

impl Endpoint {
    pub(crate) fn new(name: String, kind: EndpointKind, now: SystemTime) -> Self {
        let id = name.rsplit('/').next().unwrap_or_default();
        let uid = format!("ep-{id}-{}", random::hex::<4>());
        Self {
            name,
            kind,
            uid,
            disabled: false,
            compute: Compute::Active,
            last_active: now,
            counters: Counters::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn branch(&self) -> &str {
        self.name.split_once("/endpoints/").map_or("", |(branch, _)| branch)
    }

    pub(crate) fn host(&self) -> String {
        format!("{}.{SUFFIX}", self.uid)
    }

    pub(crate) fn pooled_host(&self) -> String {
        let read_only = if self.kind == EndpointKind::ReadOnly { "-ro" } else { "" };
        format!("{}{read_only}-pooler.{SUFFIX}", self.uid)
    }
}

/// Who may ask the workspace for something.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// E-mail of a user or application id of a service principal; also its Postgres role.
    pub(crate) name: String,
    pub(crate) service_principal: bool,
}

/// How a Postgres role logs in.
#[derive(Clone)]
pub(crate) enum Role {
    OAuth,
    Password(String),
}

/// The emulated workspace's contents.
pub(crate) struct World {
    pub(crate) projects: Vec<String>,
    pub(crate) branches: Vec<String>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) created: SystemTime,
}

impl World {
    /// Project `demo`: branch `production` with `replica` and `primary`, and branches for the states
    /// an endpoint may be in.
    pub(crate) fn demo(now: SystemTime) -> Self {
        let mut world = Self {
            projects: vec!["projects/demo".to_owned()],
            branches: Vec::new(),
            endpoints: Vec::new(),
            roles: BTreeMap::new(),
            created: now,
        };
        use EndpointKind::{ReadOnly, ReadWrite, Unknown};
        for (branch, id, kind) in [
            ("production", "replica", ReadOnly),
            ("production", "primary", ReadWrite),
            ("dev", "traveller", Unknown),
            ("dev", "sleepy", ReadWrite),
            ("frozen", "disabled", ReadWrite),
            ("fresh", "starting", ReadWrite),
        ] {
            world.add_endpoint(&format!("projects/demo/branches/{branch}/endpoints/{id}"), kind);
        }
        world.branches.push("projects/demo/branches/empty".to_owned());
        world.projects.push("projects/other".to_owned());
        world.branches.push("projects/other/branches/production".to_owned());
        for endpoint in &mut world.endpoints {
            match endpoint.id() {
                "sleepy" => endpoint.compute = Compute::Suspended,
                "disabled" => {
                    endpoint.disabled = true;
                    endpoint.compute = Compute::Suspended;
                }
                "starting" => endpoint.compute = Compute::Init,
                _ => {}
            }
        }
        world
    }

    /// Adds an endpoint, with its branch and project where they are new. False when the name is malformed or taken.
    pub(crate) fn add_endpoint(&mut self, name: &str, kind: EndpointKind) -> bool {
        let parts: Vec<&str> = name.split('/').collect();
        let ["projects", project, "branches", branch, "endpoints", id] = parts[..] else {
            return false;
        };
        let valid = [project, branch, id].iter().all(|id| valid_id(id));
        if !valid || self.endpoint(name).is_some() {
            return false;
        }
        let project = format!("projects/{project}");
        let branch = format!("{project}/branches/{branch}");
        if !self.projects.contains(&project) {
            self.projects.push(project);
        }
        if !self.branches.contains(&branch) {
            self.branches.push(branch);
        }
        self.endpoints.push(Endpoint::new(name.to_owned(), kind, self.created));
        true
    }

    pub(crate) fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }

    pub(crate) fn endpoint_mut(&mut self, name: &str) -> Option<&mut Endpoint> {
        self.endpoints.iter_mut().find(|endpoint| endpoint.name == name)
    }

    /// The endpoint behind a first host label, and whether the label is that of its pooler.
    pub(crate) fn by_label(&mut self, label: &str) -> Option<(&mut Endpoint, bool)> {
        let (base, pooled) = match label.strip_suffix("-pooler") {
            Some(base) => (base, true),
            None => (label, false),
        };
        self.endpoints.iter_mut().find_map(|endpoint| {
            let read_only_pooler = pooled && base.strip_suffix("-ro") == Some(&endpoint.uid);
            (endpoint.uid == base || read_only_pooler).then_some((endpoint, pooled))
        })
    }
}

/// 1–40 characters, so that a host label with all its suffixes fits: a lower-case letter, then lower-case letters, digits and hyphens.
fn valid_id(id: &str) -> bool {
    id.len() <= 40
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// How endpoints sleep and wake, and how long sessions may live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspension {
    /// Emulated time without traffic after which a session ends.
    pub(crate) session_idle: Option<Duration>,
    /// Emulated time after which a session ends whatever it does.
    pub(crate) session_age: Option<Duration>,
    /// Emulated time without sessions after which an endpoint is suspended; never when `None`.
    pub(crate) after: Option<Duration>,
    /// Emulated time a wake-up takes.
    pub(crate) wake_delay: Duration,
    pub(crate) style: WakeStyle,
    pub(crate) end: SessionEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_comes_first() {
        let world = World::demo(SystemTime::UNIX_EPOCH);
        let kinds: Vec<_> = world
            .endpoints
            .iter()
            .filter(|e| e.branch() == "projects/demo/branches/production")
            .map(|e| e.kind)
            .collect();
        assert_eq!(kinds, [EndpointKind::ReadOnly, EndpointKind::ReadWrite]);
    }

    #[test]
    fn labels_lead_to_endpoints() {
        let mut world = World::demo(SystemTime::UNIX_EPOCH);
        let uid = world
            .endpoint("projects/demo/branches/production/endpoints/primary")
            .unwrap()
            .uid
            .clone();
        assert!(!world.by_label(&uid).unwrap().1);
        assert!(world.by_label(&format!("{uid}-pooler")).unwrap().1);
        assert!(world.by_label("ep-other").is_none());
    }

    #[test]
    fn malformed_names_are_not_added() {
        let mut world = World::demo(SystemTime::UNIX_EPOCH);
        for name in [
            "",
            "projects/x",
            "projects/A/branches/b/endpoints/c",
            "projects/demo/branches/production/endpoints/primary",
        ] {
            assert!(!world.add_endpoint(name, EndpointKind::ReadWrite), "{name}");
        }
        assert!(world.add_endpoint("projects/x/branches/y/endpoints/z", EndpointKind::ReadWrite));
    }
}
