//! Everything the emulator knows, and how it changes.
//!
//! Invariant: no input or output and no clock in here; real time since the start is an argument, and
//! what has to be done outside is left in [`State::take_actions`].

mod tokens;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::Config;
use crate::clock::Clock;
use crate::fault::Faults;
use crate::log::RequestLog;
use crate::time::{later, rfc3339};
use crate::token::{Token, TokenUse};
use crate::world::{Compute, Endpoint, Identity, Role, SessionEnd, Suspension, World};

/// Something to be done outside, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// End these database sessions with SQLSTATE 57P01.
    Terminate(Vec<i32>),
    /// Close these sessions at the gateway.
    Close(Vec<u64>),
    /// Run a statement as the superuser.
    Sql(String),
}

/// The one service principal, the one user and the one native role that exist from the start.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) user: String,
    pub(crate) pat: String,
    pub(crate) password_user: String,
    pub(crate) password: String,
    /// The secret by which programs in GitHub Actions and Azure DevOps, and users of Google's tools get tokens.
    pub(crate) request_token: String,
    /// Azure's tenant, and the secret of the service principal there.
    pub(crate) tenant: String,
    pub(crate) azure_secret: String,
    pub(crate) service_account: String,
}

pub(crate) struct Session {
    pub(crate) endpoint: String,
    pub(crate) pid: Option<i32>,
    opened: SystemTime,
    used: SystemTime,
    /// Told to end already.
    ending: bool,
}

pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    /// URL of the HTTP API without a trailing slash.
    pub(crate) host: String,
    pub(crate) workspace_id: String,
    pub(crate) credentials: Credentials,
    pub(crate) identities: Vec<Identity>,
    pub(crate) world: World,
    pub(crate) tokens: HashMap<String, Token>,
    /// Last token and expiry per identity and use, for the fault that repeats it.
    pub(crate) last_tokens: HashMap<(String, TokenUse), (String, SystemTime)>,
    /// Token and expiry per request id of the instances' credentials.
    pub(crate) answered: HashMap<String, (String, SystemTime)>,
    pub(crate) faults: Faults,
    pub(crate) log: RequestLog,
    pub(crate) minted: BTreeMap<TokenUse, u64>,
    pub(crate) dns_queries: u64,
    sessions: BTreeMap<u64, Session>,
    next_session: u64,
    actions: Vec<Action>,
}

impl State {
    /// The state at the start, when the emulated time is `now`.
    pub(crate) fn new(
        now: SystemTime,
        config: Config,
        host: String,
        workspace_id: String,
        credentials: Credentials,
    ) -> Self {
        let mut world = World::demo(now);
        world.roles.insert(credentials.client_id.clone(), Role::OAuth);
        world.roles.insert(credentials.user.clone(), Role::OAuth);
        world.roles.insert(
            credentials.password_user.clone(),
            Role::Password(credentials.password.clone()),
        );
        let identities = vec![
            Identity { name: credentials.client_id.clone(), service_principal: true },
            Identity { name: credentials.user.clone(), service_principal: false },
        ];
        let pat = Token {
            identity: credentials.user.clone(),
            use_: TokenUse::Workspace,
            expires: config.pat_lifetime.map(|lifetime| later(now, lifetime)),
            instances: Vec::new(),
        };
        Self {
            clock: Clock::new(now, config.acceleration),
            config,
            host,
            workspace_id,
            identities,
            world,
            tokens: HashMap::from([(credentials.pat.clone(), pat)]),
            credentials,
            last_tokens: HashMap::new(),
            answered: HashMap::new(),
            faults: Faults::default(),
            log: RequestLog::default(),
            minted: BTreeMap::new(),
            dns_queries: 0,
            sessions: BTreeMap::new(),
            next_session: 0,
            actions: Vec::new(),
        }
    }

    pub(crate) fn open_session(&mut self, endpoint: &str, real: Duration) -> u64 {
        let now = self.clock.now(real);
        let id = self.next_session;
        self.next_session += 1;
        self.sessions.insert(
            id,
            Session {
                endpoint: endpoint.to_owned(),
                pid: None,
                opened: now,
                used: now,
                ending: false,
            },
        );
        if let Some(endpoint) = self.world.endpoint_mut(endpoint) {
            let counters = &mut endpoint.counters;
            counters.open += 1;
            counters.peak = counters.peak.max(counters.open);
        }
        id
    }

    /// The session logged in; false when its endpoint went to sleep meanwhile.
    pub(crate) fn session_ready(&mut self, id: u64, pid: Option<i32>) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        session.pid = pid;
        let Some(endpoint) = self.world.endpoint_mut(&session.endpoint) else { return false };
        let ready = endpoint.compute == Compute::Active;
        if ready {
            endpoint.counters.accepted += 1;
        }
        ready
    }

    /// The real Postgres refused the session's start-up.
    pub(crate) fn session_refused(&mut self, id: u64) {
        let endpoint = self.sessions.get(&id).map(|session| session.endpoint.as_str());
        if let Some(endpoint) = endpoint.and_then(|name| self.world.endpoint_mut(name)) {
            endpoint.counters.refused += 1;
        }
    }

    pub(crate) fn close_session(&mut self, id: u64, real: Duration) {
        let now = self.clock.now(real);
        if let Some(session) = self.sessions.remove(&id)
            && let Some(endpoint) = self.world.endpoint_mut(&session.endpoint)
        {
            endpoint.counters.open = endpoint.counters.open.saturating_sub(1);
            endpoint.last_active = now;
        }
    }

    /// Bytes passed through a session: neither it nor its endpoint is idle.
    pub(crate) fn touch(&mut self, session: u64, real: Duration) {
        let now = self.clock.now(real);
        let Some(session) = self.sessions.get_mut(&session) else { return };
        session.used = now;
        if let Some(endpoint) = self.world.endpoint_mut(&session.endpoint) {
            endpoint.last_active = now;
        }
    }

    /// Suspends an endpoint by full name; its sessions end. False when there is no such endpoint.
    pub(crate) fn suspend(&mut self, name: &str) -> bool {
        let Some(endpoint) = self.world.endpoint_mut(name) else { return false };
        endpoint.compute = Compute::Suspended;
        self.end_sessions(name);
        true
    }

    /// Ends the sessions of an endpoint as a suspension does.
    pub(crate) fn end_sessions(&mut self, name: &str) {
        self.end_where(|session| session.endpoint == name);
    }

    fn end_where(&mut self, ends: impl Fn(&Session) -> bool) {
        let (mut pids, mut ids) = (Vec::new(), Vec::new());
        for (id, session) in
            self.sessions.iter_mut().filter(|(_, session)| !session.ending && ends(session))
        {
            session.ending = true;
            match session.pid {
                Some(pid) if self.config.suspension.end == SessionEnd::Terminate => pids.push(pid),
                _ => ids.push(*id),
            }
        }
        if !pids.is_empty() {
            self.actions.push(Action::Terminate(pids));
        }
        if !ids.is_empty() {
            self.actions.push(Action::Close(ids));
        }
    }

    /// Finishes wake-ups that are due.
    pub(crate) fn wake(&mut self, real: Duration) {
        let now = self.clock.now(real);
        for endpoint in &mut self.world.endpoints {
            if matches!(endpoint.compute, Compute::Waking(ready) if ready <= now) {
                endpoint.compute = Compute::Active;
                endpoint.last_active = now;
            }
        }
    }

    /// Suspends what has been idle for long enough and ends sessions that are over a limit.
    ///
    /// To be called when the latest traffic is known ([`touch`](Self::touch)), as a fast clock makes a moment long.
    pub(crate) fn sweep(&mut self, real: Duration) {
        self.wake(real);
        let now = self.clock.now(real);
        let over = |since: SystemTime, limit: Option<Duration>| {
            limit.is_some_and(|limit| now.duration_since(since).is_ok_and(|time| time >= limit))
        };
        let Suspension { after, session_idle, session_age, .. } = self.config.suspension;
        let idle = |endpoint: &&Endpoint| {
            endpoint.compute == Compute::Active
                && !endpoint.is_instance()
                && over(endpoint.last_active, after)
        };
        let idle: Vec<String> = self
            .world
            .endpoints
            .iter()
            .filter(idle)
            .map(|endpoint| endpoint.name.clone())
            .collect();
        idle.iter().for_each(|name| _ = self.suspend(name));
        self.end_where(|session| {
            over(session.used, session_idle) || over(session.opened, session_age)
        });
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The answer of `GET /_emulator/state`, without secrets.
    pub(crate) fn report(&self, real: Duration) -> Value {
        let endpoints: Vec<Value> = self
            .world
            .endpoints
            .iter()
            .map(|endpoint| {
                json!({
                    "name": endpoint.name, "host": endpoint.host(), "kind": endpoint.kind,
                    "read_only_host": endpoint.read_only_host(),
                    "state": compute_name(endpoint.compute), "disabled": endpoint.disabled,
                    "counters": endpoint.counters,
                })
            })
            .collect();
        json!({
            "now": rfc3339(self.clock.now(real)),
            "acceleration": self.clock.acceleration(),
            "tokens_minted": self.minted,
            "dns_queries": self.dns_queries,
            "endpoints": endpoints,
            "faults": self.faults.list(),
            "requests": self.log.list(),
        })
    }
}

/// The API's word for a compute state.
pub(crate) fn compute_name(compute: Compute) -> &'static str {
    match compute {
        Compute::Init => "INIT",
        Compute::Active => "ACTIVE",
        Compute::Suspended | Compute::Waking(_) => "IDLE",
    }
}

#[cfg(test)]
pub(crate) mod tests;
