//! A workspace that answers mints by a script, as bytes on the wire.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use lakebase_core::refresh::Moment;
use lakebase_core::{
    BoxFuture, CredentialRequest, CredentialSource, DatabaseCredential, Error, ErrorKind, Result,
    Timestamp,
};
use lakebase_testkit::scenario::ScenarioError;
use lakebase_testkit::{FakeTime, Reply as Scripted, ScriptedOrigin};
use lakebase_wasm::{Fetch, Reply, Request};

/// No later moment fits RFC 3339: 9999-12-31T23:59:59Z.
const LAST: Timestamp = Timestamp::from_unix_millis(253_402_300_799_000);

/// Answers logins at once and mints by the script. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    time: FakeTime,
    origin: ScriptedOrigin,
    lost_after: Duration,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    logins: usize,
    /// When the mints that are under way began.
    open: Vec<(usize, Moment)>,
    mints: usize,
    overlap: Option<ScenarioError>,
}

impl Service {
    /// A mint may begin beside another one that began `lost_after` ago or earlier: its caller is taken for lost.
    pub(crate) fn new(time: &FakeTime, replies: Vec<Scripted>, lost_after: Duration) -> Self {
        let origin = ScriptedOrigin::new(time, replies);
        Self { time: time.clone(), origin, lost_after, seen: Arc::default() }
    }

    pub(crate) fn follow(&self, replies: Vec<Scripted>) {
        self.origin.follow(replies);
    }

    pub(crate) fn mints(&self) -> usize {
        self.lock().mints
    }

    /// Logins after the first one. A forced mint goes past the kept workspace token, which otherwise lives for a day.
    pub(crate) fn renewals(&self) -> usize {
        self.lock().logins.saturating_sub(1)
    }

    pub(crate) fn overlap(&self) -> Result<(), ScenarioError> {
        self.lock().overlap.clone().map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Open {
        let now = Moment::now(&self.time);
        let mut seen = self.lock();
        seen.mints += 1;
        let number = seen.mints;
        if let Some((other, _)) = seen.open.iter().find(|(_, at)| now.since(*at) < self.lost_after)
        {
            let text = format!("mint {number} began beside mint {other}");
            seen.overlap.get_or_insert(text);
        }
        seen.open.push((number, now));
        drop(seen);
        Open { service: self.clone(), number }
    }

    async fn mint(self) -> Result<Reply> {
        let _open = self.begin();
        let endpoint = crate::edge::ENDPOINT.parse()?;
        match self.origin.fetch(&CredentialRequest::new(endpoint)).await {
            Ok(credential) => Ok(granted(&credential)),
            Err(error) => refused(error),
        }
    }
}

impl Fetch for Service {
    fn fetch(&self, request: Request) -> BoxFuture<'static, Result<Reply>> {
        let service = self.clone();
        let path = request.url.strip_prefix("https://workspace.example").unwrap_or_default();
        match path {
            "/oidc/v1/token" => {
                self.lock().logins += 1;
                let body = br#"{"access_token":"ws","expires_in":86400}"#.to_vec();
                Box::pin(async { Ok(Reply { status: 200, body, ..Reply::default() }) })
            }
            "/api/2.0/postgres/credentials" => Box::pin(service.mint()),
            _ => {
                let error = Error::new(ErrorKind::Unsupported, format!("not scripted: {path}"));
                Box::pin(async { Err(error) })
            }
        }
    }
}

/// Both times in whole seconds: `Date` has no others, and a life is the difference.
fn granted(credential: &DatabaseCredential) -> Reply {
    let millis = credential.expires_at.min(LAST).as_unix_millis();
    let expires_at = Timestamp::from_unix_millis(millis - millis.rem_euclid(1000));
    let body = serde_json::json!({
        "token": credential.token.expose(),
        "expire_time": expires_at.to_string(),
    });
    let date = credential.served_at.map(http_date);
    Reply { status: 200, date, body: body.to_string().into_bytes(), ..Reply::default() }
}

/// The error as a reply, if it is one.
fn refused(error: Error) -> Result<Reply> {
    let Some(status) = error.status() else { return Err(error) };
    let retry_after = error.retry_after().map(|delay| delay.as_secs().to_string());
    Ok(Reply { status, retry_after, body: b"{}".to_vec(), ..Reply::default() })
}

fn http_date(moment: Timestamp) -> String {
    let millis = u64::try_from(moment.as_unix_millis()).unwrap_or_default();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(millis))
}

/// A mint that is under way, also if it is dropped before its end.
struct Open {
    service: Service,
    number: usize,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.service.lock().open.retain(|(number, _)| *number != self.number);
    }
}
