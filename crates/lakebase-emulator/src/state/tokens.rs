//! Tokens: who got which, for what, and for how long.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::State;
use crate::random;
use crate::time::later;
use crate::token::{Token, TokenFor, TokenUse};

/// Tokens and answers above this number make room for new ones when they are dead.
const REMEMBERED: usize = 4_096;

impl State {
    /// A new token that is accepted until `expires`; tokens long expired are forgotten now and then.
    pub(crate) fn mint(
        &mut self,
        identity: &str,
        use_: TokenUse,
        now: SystemTime,
        expires: SystemTime,
    ) -> String {
        if self.tokens.len() >= REMEMBERED {
            self.tokens.retain(|_, token| token.expires.is_none_or(|expires| expires > now));
        }
        let scope = if use_ == TokenUse::Workspace { "all-apis" } else { "postgres" };
        let claims = json!({"sub": identity, "iss": self.host, "scope": scope});
        let token = random::jwt(claims, now, expires);
        let identity = identity.to_owned();
        self.last_tokens.insert((identity.clone(), use_), (token.clone(), expires));
        let record = Token { identity, use_, expires: Some(expires), instances: Vec::new() };
        self.tokens.insert(token.clone(), record);
        *self.minted.entry(use_).or_default() += 1;
        token
    }

    /// A new token of another issuer, for `audience`.
    pub(crate) fn issue(
        &mut self,
        what: TokenFor,
        audience: &str,
        now: SystemTime,
        lifetime: Duration,
    ) -> String {
        let (client_id, user) = (&self.credentials.client_id, &self.credentials.user);
        let (use_, identity) = match what {
            TokenFor::Exchange => (TokenUse::Exchange, client_id),
            TokenFor::User | TokenFor::EntraUser => (TokenUse::Workspace, user),
            TokenFor::EntraService | TokenFor::GoogleService => (TokenUse::Workspace, client_id),
            TokenFor::EntraManagement => (TokenUse::Management, client_id),
            TokenFor::Google => (TokenUse::Google, client_id),
        };
        let expires = later(now, lifetime);
        let mut claims = json!({"sub": identity, "aud": audience, "iss": "https://issuer.example"});
        if what == TokenFor::EntraUser {
            claims["upn"] = Value::from(user.as_str());
        }
        let token = random::jwt(claims, now, expires);
        let record = Token {
            identity: identity.clone(),
            use_,
            expires: Some(expires),
            instances: Vec::new(),
        };
        self.tokens.insert(token.clone(), record);
        token
    }

    /// The path of Databricks' metadata service, which is a secret there.
    pub(crate) fn metadata_path(&self) -> String {
        format!("/metadata-service/{}", self.credentials.request_token)
    }

    /// The identity behind `token` when it is good for `use_` now.
    pub(crate) fn verify(&self, token: &str, use_: TokenUse, now: SystemTime) -> Option<&str> {
        let token = self.tokens.get(token)?;
        let alive = token.expires.is_none_or(|expires| now < expires);
        (token.use_ == use_ && alive).then_some(token.identity.as_str())
    }

    /// `token` opens these instances and no other; any when `names` is empty.
    pub(crate) fn limit_to_instances(&mut self, token: &str, names: Vec<String>) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.instances = names;
        }
    }

    /// Whether `token`, which is known to be good, opens the endpoint or instance of this name.
    pub(crate) fn opens(&self, token: &str, name: &str) -> bool {
        let limits = self.tokens.get(token).map(|token| &token.instances);
        limits.is_none_or(|names| names.is_empty() || names.iter().any(|known| known == name))
    }

    /// Keeps the answer to a request for the case that it is sent again.
    pub(crate) fn remember_answer(
        &mut self,
        request: String,
        answer: (String, SystemTime),
        now: SystemTime,
    ) {
        if self.answered.len() >= REMEMBERED {
            self.answered.retain(|_, (_, expires)| *expires > now);
        }
        self.answered.insert(request, answer);
    }

    /// Every token given out so far stops being accepted; the personal access token goes on.
    pub(crate) fn revoke_tokens(&mut self) {
        let pat = self.credentials.pat.clone();
        self.tokens.retain(|token, _| *token == pat);
        self.last_tokens.clear();
        self.answered.clear();
    }
}
