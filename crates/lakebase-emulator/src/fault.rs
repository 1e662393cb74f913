//! Misbehaviour as data: what goes wrong, where, and how often.
//!
//! Invariant: a fault changes the answers of its own operation and nothing else; it never stops the emulator.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Something that will go wrong, matched by operation and, where given, by resource.
///
/// As JSON: `{"on":"token","times":2,"effect":{"kind":"reply","status":503}}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation it applies to.
    pub on: Operation,
    /// Applies only where the resource name (HTTP: path, endpoint, instance or uid; login and DNS: host name)
    /// contains this text. Default: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// How many times it happens. Default: until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The effect.
    pub effect: Effect,
}

impl Fault {
    /// A fault of `on` that happens until it is cleared.
    #[must_use]
    pub fn new(on: Operation, effect: Effect) -> Self {
        Self { on, only: None, times: None, effect }
    }

    /// Happens `times` times, then no more.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Happens only for resources whose name contains `text`.
    #[must_use]
    pub fn only(mut self, text: impl Into<String>) -> Self {
        self.only = Some(text.into());
        self
    }
}

/// Where a fault applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// Every HTTP request (not those below `/_emulator/`).
    Any,
    /// The OAuth token request.
    Token,
    /// The well-known documents.
    Discovery,
    /// A token service other than the workspace, or the workspace's redirect to its tenant's log-in; which one, the
    /// path tells ([`Fault::only`]).
    TokenService,
    /// `POST /api/2.0/postgres/credentials`.
    Credentials,
    /// `POST /api/2.0/database/credentials`.
    InstanceCredentials,
    /// One endpoint, branch or project.
    EndpointGet,
    /// The endpoints of a branch.
    EndpointList,
    /// The branches of a project.
    BranchList,
    /// The projects.
    ProjectList,
    /// One Provisioned instance, by name or by uid.
    InstanceGet,
    /// The Provisioned instances.
    InstanceList,
    /// The current user.
    Me,
    /// A request of the Data API.
    DataApi,
    /// A login at the Postgres gateway.
    Login,
    /// A DNS query.
    Dns,
}

/// The effect of a fault. Fields not mentioned in JSON have the documented default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Effect {
    /// HTTP: an answer with this status instead of the right one.
    Reply {
        /// Status code; outside 200–599 counts as 500.
        status: u16,
        /// Form of the body. Default: JSON.
        #[serde(default)]
        body: Body,
        /// Contents of `Retry-After`. Default: no such header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
        /// `error_code` of a JSON body. Default: the one that belongs to the status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_code: Option<String>,
        /// Message of the body. Default: a text that says it is a simulation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// HTTP: a redirect, as a workspace behind a private link answers from outside.
    Redirect {
        /// Contents of `Location`.
        location: String,
    },
    /// The right HTTP answer with its body in another form.
    Garble {
        /// Form of the body.
        body: Body,
    },
    /// HTTP, login, DNS: this much real time passes before the answer.
    Latency {
        /// Milliseconds of real time.
        #[serde(rename = "ms", with = "millis")]
        duration: Duration,
    },
    /// HTTP and login: the connection ends without an answer. DNS: no answer comes.
    Drop,
    /// HTTP: the `Date` header and every expiry are off by this many seconds, positive for ahead.
    Skew {
        /// Seconds.
        seconds: i64,
    },
    /// Token and credentials: lives this long (emulated time) whatever was asked.
    Lifetime {
        /// Seconds.
        #[serde(rename = "seconds", with = "seconds")]
        duration: Duration,
    },
    /// HTTP: this field is missing in the top level of the JSON answer.
    Omit {
        /// Name of the field.
        field: String,
    },
    /// Credentials of both kinds: the expiry lies an hour in the past and the token is not accepted.
    Expired,
    /// Token and credentials: the token given last is given again, with its old expiry.
    SameToken,
    /// Login: refused with this SQLSTATE and message.
    Refuse {
        /// Five characters.
        sqlstate: String,
        /// Primary message.
        message: String,
    },
    /// Login: refused as by the workspace's IP access list.
    BlockAddress,
    /// Login, and [`Operation::Any`] where the workspace is served by HTTPS: the TLS handshake shows a
    /// certificate that must not be trusted.
    Certificate {
        /// The flaw of the certificate.
        wrong: WrongCertificate,
    },
    /// DNS: answers SERVFAIL.
    ServFail,
    /// DNS: answers NXDOMAIN.
    NxDomain,
    /// DNS: answers over UDP are truncated, so that TCP must be used.
    Truncate,
    /// DNS: the answer leads through an alias.
    Cname,
    /// DNS: AAAA queries are answered with `::1` (where no server listens).
    Ipv6,
}

impl Effect {
    /// An HTTP answer with `status`, and all else by default.
    #[must_use]
    pub const fn reply(status: u16) -> Self {
        let body = Body::Json;
        Self::Reply { status, body, retry_after: None, error_code: None, message: None }
    }

    /// A login that is refused with `sqlstate` and `message`.
    pub fn refuse(sqlstate: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refuse { sqlstate: sqlstate.into(), message: message.into() }
    }
}

/// Form of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// Well-formed JSON.
    #[default]
    Json,
    /// A page of HTML, as a proxy in between would send.
    Html,
    /// Half of the JSON, with a length that fits the half.
    Truncated,
    /// The connection ends in the middle of the body.
    Cut,
    /// Nothing.
    Empty,
    /// `CODE: message` as plain text.
    Text,
}

/// Contents of `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// An HTTP date this many seconds ahead of the emulated clock.
    Date(u64),
}

/// How a server certificate fails verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WrongCertificate {
    /// Issued for another host.
    Name,
    /// Issued by an unknown authority.
    Authority,
    /// No longer valid.
    Expired,
}

/// The faults in force, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// Effects for one occurrence of `on`; what is counted is used up.
    pub(crate) fn take(&mut self, on: Operation, resource: &str) -> Vec<Effect> {
        self.take_where(on, resource, |_| true)
    }

    /// As [`take`](Self::take), for the effects that `wanted` picks.
    pub(crate) fn take_where(
        &mut self,
        on: Operation,
        resource: &str,
        wanted: impl Fn(&Effect) -> bool,
    ) -> Vec<Effect> {
        let http = !matches!(on, Operation::Login | Operation::Dns);
        let mut effects = Vec::new();
        for fault in &mut self.0 {
            let matches = (fault.on == on || (fault.on == Operation::Any && http))
                && fault.only.as_deref().is_none_or(|only| resource.contains(only))
                && wanted(&fault.effect);
            if matches && fault.times != Some(0) {
                fault.times = fault.times.map(|n| n - 1);
                effects.push(fault.effect.clone());
            }
        }
        self.0.retain(|fault| fault.times != Some(0));
        effects
    }
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_millis)
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(value.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_down_and_matches() {
        let mut faults = Faults::default();
        faults.inject(Fault::new(Operation::Token, Effect::Drop).times(2));
        faults.inject(Fault::new(Operation::Any, Effect::Skew { seconds: 5 }).only("credentials"));
        assert_eq!(faults.take(Operation::Token, "/oidc/v1/token").len(), 1);
        assert!(faults.take(Operation::Me, "/Me").is_empty());
        assert_eq!(faults.take(Operation::Token, "/oidc/v1/token").len(), 1);
        assert!(faults.take(Operation::Token, "/oidc/v1/token").is_empty());
        assert_eq!(faults.take(Operation::Credentials, "/credentials").len(), 1);
        assert!(faults.take(Operation::Login, "credentials").is_empty(), "Any is HTTP only");
        assert_eq!(faults.list().len(), 1);
    }

    #[test]
    fn is_read_from_json() {
        for text in [
            r#"{"on":"token","times":2,"effect":{"kind":"reply","status":503,"retry_after":{"date":3}}}"#,
            r#"{"on":"credentials","effect":{"kind":"latency","ms":20}}"#,
            r#"{"on":"login","only":"ep-primary","effect":{"kind":"certificate","wrong":"authority"}}"#,
            r#"{"on":"dns","effect":{"kind":"serv_fail"}}"#,
            r#"{"on":"credentials","effect":{"kind":"lifetime","seconds":20}}"#,
        ] {
            let fault: Fault = serde_json::from_str(text).unwrap();
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(text).unwrap().get("on"),
                serde_json::to_value(&fault).unwrap().get("on")
            );
        }
        for wrong in
            [r#"{"on":"tea","effect":{"kind":"drop"}}"#, r#"{"on":"token","effect":{"kind":"x"}}"#]
        {
            assert!(serde_json::from_str::<Fault>(wrong).is_err());
        }
    }
}
