//! Places to log in at: endpoints of branches, and Provisioned instances.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{INSTANCE_SUFFIX, INSTANCES, SUFFIX};
use crate::random;

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

/// An endpoint of a branch, or a Provisioned instance.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// `projects/p/branches/b/endpoints/e`, or `instances/i` for a Provisioned instance.
    pub(crate) name: String,
    pub(crate) kind: EndpointKind,
    /// First label of an endpoint's host name; the UUID in that of an instance.
    pub(crate) uid: String,
    /// Has a second host name, for reading only.
    pub(crate) readable_secondaries: bool,
    /// Switched off: no login wakes it. An instance is then stopped.
    pub(crate) disabled: bool,
    pub(crate) compute: Compute,
    pub(crate) last_active: SystemTime,
    pub(crate) counters: Counters,
}

/// The counters of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Logins that reached the database.
    pub accepted: u64,
    /// Logins refused by the gateway, whatever the reason.
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
        let uid = if name.starts_with(INSTANCES) {
            random::uuid()
        } else {
            format!("ep-{id}-{}", random::hex::<4>())
        };
        Self {
            name,
            kind,
            uid,
            readable_secondaries: false,
            disabled: false,
            compute: Compute::Active,
            last_active: now,
            counters: Counters::default(),
        }
    }

    /// Whether this is a Provisioned instance.
    pub(crate) fn is_instance(&self) -> bool {
        self.name.starts_with(INSTANCES)
    }

    pub(crate) fn id(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn branch(&self) -> &str {
        self.name.split_once("/endpoints/").map_or("", |(branch, _)| branch)
    }

    /// The part of its host names after the first label.
    pub(crate) fn suffix(&self) -> &'static str {
        if self.is_instance() { INSTANCE_SUFFIX } else { SUFFIX }
    }

    pub(crate) fn host(&self) -> String {
        let kind = if self.is_instance() { "instance-" } else { "" };
        format!("{kind}{}.{}", self.uid, self.suffix())
    }

    /// Host name of the secondaries, where they are readable.
    pub(crate) fn read_only_host(&self) -> Option<String> {
        let (uid, suffix) = (&self.uid, self.suffix());
        self.readable_secondaries.then(|| match self.is_instance() {
            true => format!("instance-ro-{uid}.{suffix}"),
            false => format!("{uid}-ro.{suffix}"),
        })
    }

    /// Host name of the pooler; instances have none.
    pub(crate) fn pooled_host(&self) -> Option<String> {
        let read_only = if self.kind == EndpointKind::ReadOnly { "-ro" } else { "" };
        (!self.is_instance()).then(|| format!("{}{read_only}-pooler.{SUFFIX}", self.uid))
    }

    /// Host name of the pooler of the secondaries, where they are readable.
    pub(crate) fn read_only_pooled_host(&self) -> Option<String> {
        let known = self.readable_secondaries && !self.is_instance();
        known.then(|| format!("{}-ro-pooler.{SUFFIX}", self.uid))
    }

    /// How a login with this first host label comes in; `None` when the label is not one of its own.
    pub(crate) fn login_kind(&self, label: &str) -> Option<LoginKind> {
        let (label, pooled) = match label.strip_suffix("-pooler") {
            Some(label) => (label, true),
            None => (label, false),
        };
        let rest = if self.is_instance() {
            let rest = label.strip_prefix("instance-").filter(|_| !pooled)?;
            rest.strip_prefix("ro-").map_or((rest, false), |uid| (uid, true))
        } else {
            label.strip_suffix("-ro").map_or((label, false), |uid| (uid, true))
        };
        let (uid, secondary) = rest;
        let reads_only = self.kind == EndpointKind::ReadOnly;
        // The pooler of a read-only endpoint has `-ro` in its name without any secondary.
        let known = !secondary || self.readable_secondaries || (pooled && reads_only);
        (uid == self.uid && known)
            .then_some(LoginKind { pooled, read_only: reads_only || secondary })
    }
}

/// The kind of a login, which its host name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoginKind {
    pub(crate) pooled: bool,
    pub(crate) read_only: bool,
}
