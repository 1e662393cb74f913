//! The calls of the workspace's API, with the cached token.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use lakebase_core::refresh::{Cache, Demand, Held, Refusals};
use lakebase_core::{
    BranchName, CredentialRequest, DatabaseCredential, Endpoint, EndpointName, Error, ErrorKind,
    Result,
};

use crate::retry::Attempts;
use crate::session::{Session, authorize};
use crate::{AccessToken, Retry, TokenSource, wire};

/// The most pages of a list.
pub(crate) const MAX_PAGES: usize = 1000;

/// One workspace and one identity.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) session: Session,
    pub(crate) source: Arc<dyn TokenSource>,
    pub(crate) tokens: Cache<AccessToken>,
}

impl Calls {
    pub(crate) async fn list_endpoints(
        &self,
        branch: &BranchName,
        retry: Retry,
    ) -> Result<Vec<Endpoint>> {
        let what = format!("listing the endpoints of {branch}");
        let mut attempts = Attempts::new(&self.session.runtime, retry);
        let mut endpoints = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = wire::list_endpoints(&self.session.host, branch, token.as_deref())?;
            let page = self.call(&what, &mut attempts, request, false, |reply| {
                wire::endpoint_page(reply.body())
            });
            let page = page.await?;
            endpoints.extend(page.items);
            if page.next_page_token.is_none() {
                return Ok(endpoints);
            }
            if page.next_page_token == token {
                break;
            }
            token = page.next_page_token;
        }
        let problem =
            "the list of endpoints has no end: `next_page_token` repeats or goes on for ever";
        Err(Error::new(ErrorKind::Protocol, problem).context(what))
    }

    pub(crate) async fn get_endpoint(&self, name: &EndpointName, retry: Retry) -> Result<Endpoint> {
        let mut attempts = Attempts::new(&self.session.runtime, retry);
        let request = wire::get_endpoint(&self.session.host, name)?;
        let what = format!("looking up {name}");
        self.call(&what, &mut attempts, request, false, |reply| wire::endpoint(reply.body())).await
    }

    pub(crate) async fn generate_credential(
        &self,
        request: &CredentialRequest,
        retry: Retry,
    ) -> Result<DatabaseCredential> {
        let mut attempts = Attempts::new(&self.session.runtime, retry);
        let what = format!("getting a database credential for {}", request.compute);
        let sent = wire::generate_credential(&self.session.host, request)?;
        self.call(&what, &mut attempts, sent, request.force, |reply| {
            wire::credential(reply.body(), wire::served_at(reply.headers()))
        })
        .await
    }

    pub(crate) async fn current_user(&self, retry: Retry) -> Result<Arc<str>> {
        let mut attempts = Attempts::new(&self.session.runtime, retry);
        let request = wire::current_user(&self.session.host)?;
        let what = "asking the workspace for the current user";
        self.call(what, &mut attempts, request, false, |reply| wire::user_name(reply.body())).await
    }

    /// Makes one call, retries it as `attempts` allows, and reads its reply.
    pub(crate) async fn call<T>(
        &self,
        what: &str,
        attempts: &mut Attempts<'_>,
        request: Request<Bytes>,
        force: bool,
        read: impl Fn(&Response<Bytes>) -> Result<T>,
    ) -> Result<T> {
        loop {
            let result = self.attempt(&request, force).await.and_then(|reply| read(&reply));
            match result {
                Ok(value) => return Ok(value),
                Err(error) => {
                    attempts.after(error).await.map_err(|error| error.context(what))?;
                }
            }
        }
    }

    /// Sends `request` with the token. A refused token is replaced, as [`Refusals`] allows.
    async fn attempt(&self, request: &Request<Bytes>, force: bool) -> Result<Response<Bytes>> {
        let demand = Demand::nested(force && self.source.is_renewable());
        let mut held = self.tokens.get_for(demand).await?;
        let mut refusals = Refusals::default();
        let reply = loop {
            let reply = self.send(request, &held).await?;
            if reply.status() != StatusCode::UNAUTHORIZED || !self.source.is_renewable() {
                break reply;
            }
            let now = self.session.runtime.clock.monotonic();
            if !refusals.another_may_help(now, held.generation(), held.requested_at()) {
                break reply;
            }
            let other = self.replace(&held).await?;
            // The cache limits how often it drops a token.
            if other.generation() == held.generation() {
                break reply;
            }
            held = other;
        };
        self.session.expect_success(reply, &held.secrets()).map_err(|error| match error.kind() {
            ErrorKind::Unauthenticated => {
                error.context(format!("the workspace refused {}", self.source.describe()))
            }
            _ => error,
        })
    }

    async fn replace(&self, held: &Held<AccessToken>) -> Result<Held<AccessToken>> {
        self.tokens.invalidate(held.generation());
        self.tokens.get_for(Demand::nested(false)).await
    }

    async fn send(&self, request: &Request<Bytes>, token: &AccessToken) -> Result<Response<Bytes>> {
        let mut request = request.clone();
        authorize(&mut request, token)?;
        self.session.send(request).await
    }
}
