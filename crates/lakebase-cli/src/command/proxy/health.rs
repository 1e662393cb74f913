//! The answer to a readiness probe.

use std::collections::BTreeMap;

use lakebase::core::Timestamp;
use lakebase::core::refresh::Status;
use lakebase_proxy::PoolStats;
use serde::Serialize;

use super::pools;
use super::served::Served;

/// From good to bad: the worst of several is the proxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// There is a token, or none is needed, and nothing is wrong.
    Fresh,
    /// There is a token, and the next one cannot be had.
    Degraded,
    /// There is no token yet.
    Starting,
    /// There is no token, and none can be had.
    Dead,
    /// The end was asked for.
    Draining,
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    status: State,
    /// When the first token dies.
    #[serde(skip_serializing_if = "Option::is_none")]
    good_until: Option<String>,
    targets: Vec<Target>,
}

#[derive(Debug, Serialize)]
struct Target {
    #[serde(flatten)]
    served: Served,
    status: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    good_until: Option<String>,
    /// The kind of the last failure only, because clients of this address are not authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<BTreeMap<&'static str, u64>>,
}

impl Health {
    pub(super) fn new(
        draining: bool,
        served: &[Served],
        statuses: &[Option<Status>],
        pools: &[Option<PoolStats>],
    ) -> Self {
        let mut targets: Vec<_> = served.iter().zip(statuses).map(target).collect();
        for (target, pool) in targets.iter_mut().zip(pools) {
            target.pool = pool.as_ref().map(pools::numbers);
        }
        let worst = targets.iter().map(|target| target.status).max().unwrap_or(State::Fresh);
        let first = statuses.iter().flatten().filter_map(good_until).min();
        Self {
            status: if draining { State::Draining } else { worst },
            good_until: first.map(|until| until.to_string()),
            targets,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.status <= State::Degraded
    }

    pub(super) fn json(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn target((served, status): (&Served, &Option<Status>)) -> Target {
    let (state, error) = match status {
        None | Some(Status::Fresh { .. }) => (State::Fresh, None),
        Some(Status::Degraded { last_error, .. }) => (State::Degraded, Some(last_error)),
        Some(Status::Dead { last_error, .. }) => (State::Dead, Some(last_error)),
        // Empty, and whatever may be added.
        Some(_) => (State::Starting, None),
    };
    let until = status.as_ref().and_then(good_until);
    Target {
        served: served.clone(),
        status: state,
        good_until: until.map(|until| until.to_string()),
        error: error.map(|error| error.kind().as_str()),
        pool: None,
    }
}

/// When the token dies, by this machine's wall clock.
pub(super) fn good_until(status: &Status) -> Option<Timestamp> {
    match status {
        Status::Fresh { good_until } | Status::Degraded { good_until, .. } => Some(*good_until),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lakebase::{Error, ErrorKind};

    use super::*;

    fn health(draining: bool, statuses: &[Option<Status>]) -> Health {
        let one = |number: usize| Served {
            listener: format!("127.0.0.1:{number}"),
            target: "projects/p/branches/b".into(),
            read_only: false,
        };
        let served: Vec<_> = (0..statuses.len()).map(one).collect();
        Health::new(draining, &served, statuses, &[])
    }

    fn fresh(second: i64) -> Status {
        Status::Fresh { good_until: Timestamp::from_unix_millis(second * 1000) }
    }

    fn broken() -> Error {
        Error::new(ErrorKind::Unavailable, "the secret host is down")
    }

    #[test]
    fn the_worst_target_and_the_first_expiry_count() {
        let degraded = Status::Degraded {
            since: Timestamp::from_unix_millis(0),
            last_error: broken(),
            good_until: Timestamp::from_unix_millis(60_000),
        };
        let dead = Status::Dead { since: Timestamp::from_unix_millis(0), last_error: broken() };
        for (statuses, state, ready) in [
            (vec![], State::Fresh, true),
            (vec![None, Some(fresh(60))], State::Fresh, true),
            (vec![Some(fresh(90)), Some(degraded.clone())], State::Degraded, true),
            (vec![Some(degraded.clone()), Some(Status::Empty)], State::Starting, false),
            (vec![Some(dead), Some(fresh(60))], State::Dead, false),
        ] {
            let health = health(false, &statuses);
            assert_eq!((health.status, health.is_ready()), (state, ready), "{statuses:?}");
        }
        let json = health(false, &[Some(fresh(90)), Some(degraded)]).json();
        assert!(
            json.contains(r#""status":"degraded","good_until":"1970-01-01T00:01:00"#),
            "{json}"
        );
        assert!(json.contains(r#""error":"unavailable""#) && !json.contains("secret"), "{json}");
    }

    #[test]
    fn nobody_is_to_come_while_it_drains() {
        let health = health(true, &[Some(fresh(60))]);
        assert!(!health.is_ready() && health.json().starts_with(r#"{"status":"draining""#));
    }
}
