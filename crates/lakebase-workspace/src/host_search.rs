//! Finds the compute with a host name, by what the workspace reports. The form of the name proves nothing.
//!
//! The API cannot look up a host. For `instance-{uid}.…` the search first asks for the instance with that uid: one
//! request. Otherwise it reads the lists of projects, their branches and their endpoints: **one request for each page of
//! each list, up to the match**, at most eight at a time. A configured endpoint needs one request instead, and its
//! credential is requested at the same time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use http::{Request, Response};
use lakebase_core::{
    Access, BranchName, Endpoint, EndpointType, Error, ErrorKind, ProjectName, Result, Target,
    choose_endpoint,
};

use crate::calls::{Calls, MAX_PAGES};
use crate::retry::Attempts;
use crate::wire::Page;
use crate::{Retry, wire};

/// The most simultaneous requests.
const CONCURRENCY: usize = 8;
/// The time limit of one request.
const LIMIT: Duration = Duration::from_secs(10);

/// A search for one host.
pub(crate) struct HostSearch<'a> {
    workspace: &'a Calls,
    host: &'a Arc<str>,
}

/// A page of a list to read.
struct List {
    of: Parent,
    page_token: Option<String>,
    page: usize,
}

enum Parent {
    Workspace,
    Project(ProjectName),
    Branch(BranchName),
}

/// The counts of what the search has read, for the error if the host is missing.
#[derive(Default)]
struct Seen {
    projects: usize,
    branches: usize,
    endpoints: usize,
    /// Lists that the identity may not read, or that were deleted during the search.
    refused: usize,
}

/// The result of one page.
enum Read {
    Lists(Vec<List>),
    Endpoints(Vec<Endpoint>, Option<List>),
    Refused,
}

impl<'a> HostSearch<'a> {
    pub(crate) fn new(workspace: &'a Calls, host: &'a Arc<str>) -> Self {
        Self { workspace, host }
    }

    /// The compute with the host, or the one on its branch that serves `access`. Caches nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if the workspace does not report the host, with what was searched; those of
    /// [`choose_endpoint`] for another access; the identity's, or a transient kind.
    pub(crate) async fn run(&self, access: Access) -> Result<Endpoint> {
        let found = match self.instance().await? {
            Some(instance) => instance,
            None => self.search().await?,
        };
        self.for_access(found, access).await
    }

    /// The Provisioned instance, if the name has an instance's form and the workspace reports it.
    ///
    /// Source of the form: Databricks' SDK for Python 0.133, `DatabaseInstance.read_write_dns`.
    async fn instance(&self) -> Result<Option<Endpoint>> {
        let label = self.host.split('.').next().unwrap_or_default();
        let Some(uid) = label.strip_prefix("instance-") else { return Ok(None) };
        // The host for reads has one more part.
        let uid = uid.strip_prefix("ro-").unwrap_or(uid);
        let request = wire::find_instance(&self.workspace.session.host, uid)?;
        match self.ask(request, wire::instance).await {
            Ok(instance) => Ok(Some(instance).filter(|found| found.hosts.contains(self.host))),
            Err(error) if is_refusal(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn search(&self) -> Result<Endpoint> {
        // The deepest list comes first, because it is nearest to a match.
        let mut waiting = vec![List { of: Parent::Workspace, page_token: None, page: 0 }];
        let (mut running, mut seen) = (FuturesUnordered::new(), Seen::default());
        loop {
            while running.len() < CONCURRENCY
                && let Some(list) = waiting.pop()
            {
                running.push(self.read(list));
            }
            match running.next().await {
                None => return Err(self.nowhere(&seen)),
                Some(Err(error)) => return Err(error),
                Some(Ok(Read::Refused)) => seen.refused += 1,
                Some(Ok(Read::Lists(lists))) => {
                    for list in lists {
                        match (&list.of, list.page) {
                            (Parent::Project(_), 0) => seen.projects += 1,
                            (Parent::Branch(_), 0) => seen.branches += 1,
                            _ => {}
                        }
                        waiting.push(list);
                    }
                }
                Some(Ok(Read::Endpoints(endpoints, next))) => {
                    seen.endpoints += endpoints.len();
                    let has_host = |endpoint: &Endpoint| endpoint.hosts.contains(self.host);
                    if let Some(found) = endpoints.into_iter().find(has_host) {
                        return Ok(found);
                    }
                    waiting.extend(next);
                }
            }
        }
    }

    /// One page, within the time limit. A project or branch that is refused or gone does not end the search.
    async fn read(&self, list: List) -> Result<Read> {
        let is_root = matches!(list.of, Parent::Workspace);
        let timer = self.workspace.session.runtime.timer.sleep(LIMIT);
        match select(Box::pin(self.page(list)), timer).await {
            Either::Left((Err(error), _)) if !is_root && is_refusal(&error) => Ok(Read::Refused),
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                let workspace = &self.workspace.session.host;
                let message = format!("a list of {workspace} took longer than {LIMIT:?}");
                Err(Error::new(ErrorKind::TimedOut, message).context(self.what()))
            }
        }
    }

    async fn page(&self, list: List) -> Result<Read> {
        let host = &self.workspace.session.host;
        let token = list.page_token.as_deref();
        Ok(match &list.of {
            Parent::Workspace => {
                let page = self.ask(wire::list_projects(host, token)?, wire::project_page).await?;
                Read::Lists(list.followed_by(page, Parent::Project)?)
            }
            Parent::Project(project) => {
                let request = wire::list_branches(host, project, token)?;
                Read::Lists(
                    list.followed_by(self.ask(request, wire::branch_page).await?, Parent::Branch)?,
                )
            }
            Parent::Branch(branch) => {
                let request = wire::list_endpoints(host, branch, token)?;
                let page = self.ask(request, wire::endpoint_page).await?;
                Read::Endpoints(page.items, list.next(page.next_page_token)?)
            }
        })
    }

    async fn ask<T>(&self, request: Request<Bytes>, read: fn(&[u8]) -> Result<T>) -> Result<T> {
        let mut attempts = Attempts::new(&self.workspace.session.runtime, Retry::NONE);
        let read = |reply: &Response<Bytes>| read(reply.body());
        self.workspace.call(&self.what(), &mut attempts, request, false, read).await
    }

    fn what(&self) -> String {
        format!("searching for the endpoint of {}", self.host)
    }

    /// With read-write access the host's compute, otherwise the one that serves `access`.
    async fn for_access(&self, found: Endpoint, access: Access) -> Result<Endpoint> {
        let is_served = access == Access::ReadWrite
            || found.endpoint_type == EndpointType::ReadOnly
            || found.hosts.read_only_host.is_some();
        let Some(branch) =
            found.name.as_endpoint().filter(|_| !is_served).map(|name| name.branch())
        else {
            return Ok(found);
        };
        let endpoints = self.workspace.list_endpoints(&branch, Retry::NONE).await?;
        choose_endpoint(&Target::Branch(branch), access, &endpoints)
    }

    fn nowhere(&self, seen: &Seen) -> Error {
        let Seen { projects, branches, endpoints, refused } = seen;
        let refused = match refused {
            0 => String::new(),
            count => {
                format!(" ({count} lists could not be read: not allowed, or deleted meanwhile)")
            }
        };
        let workspace = &self.workspace.session.host;
        let message = format!(
            "no endpoint of {workspace} has the host {}, and a token goes only to hosts that the workspace reports; \
             looked at {endpoints} endpoints of {branches} branches in {projects} projects{refused}; check the host and \
             the workspace, name the endpoint directly (LAKEBASE_ENDPOINT, or LAKEBASE_PROJECT and LAKEBASE_BRANCH), \
             or set PGPASSWORD for a native role",
            self.host
        );
        Error::new(ErrorKind::NotFound, message)
    }
}

impl List {
    fn first(of: Parent) -> Self {
        Self { of, page_token: None, page: 0 }
    }

    /// The lists to read after `page`: the next page, and the lists below its items.
    fn followed_by<T>(self, page: Page<T>, below: fn(T) -> Parent) -> Result<Vec<Self>> {
        let next = self.next(page.next_page_token)?;
        Ok(next.into_iter().chain(page.items.into_iter().map(below).map(Self::first)).collect())
    }

    /// The next page, if any.
    fn next(self, page_token: Option<String>) -> Result<Option<Self>> {
        let Some(token) = page_token else { return Ok(None) };
        let page = self.page + 1;
        if self.page_token.as_ref() == Some(&token) || page >= MAX_PAGES {
            let problem = "a list has no end: `next_page_token` repeats or goes on for ever";
            return Err(Error::new(ErrorKind::Protocol, problem));
        }
        Ok(Some(Self { of: self.of, page_token: Some(token), page }))
    }
}

/// Whether the service reports a missing resource or a missing permission.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
}
