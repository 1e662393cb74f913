//! The objects of the emulated workspace: projects, branches, endpoints, instances, identities and roles.
//!
//! Invariant: the read-only endpoint of the default branch is listed before the read-write one, and what nobody is told of
//! before what is described, so that clients that take the first are found out.

mod endpoint;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::random;

pub(crate) use endpoint::{Compute, Endpoint, LoginKind};
pub use endpoint::{Counters, EndpointKind};

/// Host names of endpoints end in this; no public resolver knows it (RFC 6761, `.test`).
pub(crate) const SUFFIX: &str = "database.us-west-2.emulator.lakebase.test";
/// Host names of Provisioned instances end in this, which names no region.
pub(crate) const INSTANCE_SUFFIX: &str = "database.emulator.lakebase.test";
/// Names of Provisioned instances begin with this where they stand beside those of endpoints.
pub(crate) const INSTANCES: &str = "instances/";
/// The read-write endpoint of the default branch.
pub(crate) const PRIMARY: &str = "projects/demo/branches/production/endpoints/primary";
/// The Provisioned instance that serves; another one, which is stopped, is listed before it.
pub(crate) const INSTANCE: &str = "instances/demo";
/// Database of every endpoint, as the service names it.
pub(crate) const DATABASE: &str = "databricks_postgres";

/// How logins are treated while a suspended endpoint wakes up.
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

/// An identity that may call the workspace.
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
    /// an endpoint may be in. Before it project `other`, and Provisioned instances.
    pub(crate) fn demo(now: SystemTime) -> Self {
        let mut world = Self {
            projects: Vec::new(),
            branches: Vec::new(),
            endpoints: Vec::new(),
            roles: BTreeMap::new(),
            created: now,
        };
        use EndpointKind::{ReadOnly, ReadWrite, Unknown};
        world.projects.push("projects/other".to_owned());
        world.branches.push("projects/other/branches/production".to_owned());
        for (branch, id, kind) in [
            ("production", "replica", ReadOnly),
            ("production", "primary", ReadWrite),
            ("dev", "traveller", Unknown),
            ("dev", "sleepy", ReadWrite),
            ("frozen", "disabled", ReadWrite),
            ("fresh", "starting", ReadWrite),
        ] {
            let _ = world
                .add_endpoint(&format!("projects/demo/branches/{branch}/endpoints/{id}"), kind);
        }
        world.branches.push("projects/demo/branches/empty".to_owned());
        let _ = (world.add_instance("archive", false), world.add_instance("demo", true));
        for endpoint in &mut world.endpoints {
            match endpoint.id() {
                "sleepy" => endpoint.compute = Compute::Suspended,
                "disabled" | "archive" => {
                    endpoint.disabled = true;
                    endpoint.compute = Compute::Suspended;
                }
                "starting" => endpoint.compute = Compute::Init,
                _ => {}
            }
        }
        world
    }

    /// Adds an endpoint, with its branch and project where they are new.
    pub(crate) fn add_endpoint(&mut self, name: &str, kind: EndpointKind) -> Result<(), String> {
        let problem = || format!("endpoint name '{name}' is malformed or taken");
        let parts: Vec<&str> = name.split('/').collect();
        let ["projects", project, "branches", branch, "endpoints", id] = parts[..] else {
            return Err(problem());
        };
        let valid = [project, branch, id].iter().all(|id| valid_id(id));
        if !valid || self.endpoint(name).is_some() {
            return Err(problem());
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
        Ok(())
    }

    /// Adds a Provisioned instance.
    pub(crate) fn add_instance(
        &mut self,
        id: &str,
        readable_secondaries: bool,
    ) -> Result<(), String> {
        let name = format!("{INSTANCES}{id}");
        if !valid_id(id) || self.endpoint(&name).is_some() {
            return Err(format!("instance name '{id}' is malformed or taken"));
        }
        let instance = Endpoint::new(name, EndpointKind::ReadWrite, self.created);
        self.endpoints.push(Endpoint { readable_secondaries, ..instance });
        Ok(())
    }

    /// Adds projects before all others, each with as many branches, each with a read-only and a read-write endpoint.
    pub(crate) fn add_decoys(&mut self, projects: usize, branches: usize) -> Result<(), String> {
        let known = self.projects.len();
        let wanted = projects.saturating_mul(branches).saturating_add(projects);
        if wanted.saturating_add(known + self.branches.len()) > 10_000 {
            return Err("at most 10 000 projects and branches can be listed".to_owned());
        }
        for _ in 0..projects {
            let project = format!("projects/decoy-{}", random::hex::<4>());
            self.projects.push(project.clone());
            for branch in 1..=branches {
                let branch = format!("{project}/branches/decoy-{branch}/endpoints");
                self.add_endpoint(&format!("{branch}/replica"), EndpointKind::ReadOnly)?;
                self.add_endpoint(&format!("{branch}/primary"), EndpointKind::ReadWrite)?;
            }
        }
        self.projects.rotate_left(known);
        Ok(())
    }

    /// The endpoint or instance of this name.
    pub(crate) fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }

    pub(crate) fn endpoint_mut(&mut self, name: &str) -> Option<&mut Endpoint> {
        self.endpoints.iter_mut().find(|endpoint| endpoint.name == name)
    }

    pub(crate) fn instances(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(|endpoint| endpoint.is_instance())
    }

    /// The endpoint or instance behind a first host label, and how a login with that label comes in.
    pub(crate) fn by_label(&mut self, label: &str) -> Option<(&mut Endpoint, LoginKind)> {
        self.endpoints.iter_mut().find_map(|endpoint| {
            let kind = endpoint.login_kind(label)?;
            Some((endpoint, kind))
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
    fn labels_lead_to_endpoints_and_instances() {
        let mut world = World::demo(SystemTime::UNIX_EPOCH);
        let uid = |world: &World, name: &str| world.endpoint(name).unwrap().uid.clone();
        let primary = uid(&world, PRIMARY);
        let replica = uid(&world, "projects/demo/branches/production/endpoints/replica");
        let (demo, archive) = (uid(&world, INSTANCE), uid(&world, "instances/archive"));
        let kind = |pooled, read_only| Some(LoginKind { pooled, read_only });
        for (label, found) in [
            (primary.clone(), kind(false, false)),
            (format!("{primary}-pooler"), kind(true, false)),
            (format!("{primary}-ro"), None),
            (replica.clone(), kind(false, true)),
            (format!("{replica}-ro-pooler"), kind(true, true)),
            (format!("instance-{demo}"), kind(false, false)),
            (format!("instance-ro-{demo}"), kind(false, true)),
            (format!("instance-{demo}-pooler"), None),
            (format!("instance-{archive}"), kind(false, false)),
            (format!("instance-ro-{archive}"), None),
            (demo, None),
            (format!("instance-{primary}"), None),
            ("ep-other".to_owned(), None),
        ] {
            assert_eq!(world.by_label(&label).map(|(_, kind)| kind), found, "{label}");
        }
        world.endpoint_mut(PRIMARY).unwrap().readable_secondaries = true;
        let secondaries = world.endpoint(PRIMARY).unwrap().read_only_host().unwrap();
        let label = secondaries.split('.').next().unwrap();
        let (found, kind) = world.by_label(label).unwrap();
        assert_eq!((found.name.as_str(), kind.read_only), (PRIMARY, true));
    }

    #[test]
    fn decoys_come_first_and_are_bounded() {
        let mut world = World::demo(SystemTime::UNIX_EPOCH);
        let before = (world.projects.clone(), world.endpoints.len());
        world.add_decoys(3, 2).unwrap();
        assert_eq!(world.projects.len(), before.0.len() + 3);
        assert!(world.projects[..3].iter().all(|name| name.starts_with("projects/decoy-")));
        assert_eq!(world.projects[3..], before.0);
        assert_eq!(world.endpoints.len(), before.1 + 12);
        assert!(world.add_decoys(usize::MAX, 2).is_err() && world.add_decoys(100, 100).is_err());
        world.add_decoys(2, 0).expect("projects without branches");
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
            assert!(world.add_endpoint(name, EndpointKind::ReadWrite).is_err(), "{name}");
        }
        world.add_endpoint("projects/x/branches/y/endpoints/z", EndpointKind::ReadWrite).unwrap();
        assert!(world.add_instance("demo", true).is_err());
        assert!(world.add_instance("a/b", true).is_err());
        world.add_instance("more", false).unwrap();
    }
}
