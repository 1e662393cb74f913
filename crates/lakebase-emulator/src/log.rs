//! The requests that came in, so that tests can count them and their sequential hops.

use std::time::Duration;

use serde::Serialize;

use crate::request::Request;

/// One HTTP request of the workspace API (those below `/_emulator/` are not recorded).
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RequestRecord {
    /// Position in the order of arrival, from 0.
    pub sequence: u64,
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// How the client called itself.
    pub user_agent: Option<String>,
    /// Status answered; 0 while the Data API is at work.
    pub status: u16,
    /// Real time from the emulator's start to the arrival.
    #[serde(rename = "started_us", serialize_with = "micros")]
    pub started: Duration,
    /// Real time from the emulator's start to the answer; `None` while it is being held back.
    #[serde(rename = "ended_us", serialize_with = "optional_micros")]
    pub ended: Option<Duration>,
}

fn micros<S: serde::Serializer>(value: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(u64::try_from(value.as_micros()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn optional_micros<S: serde::Serializer>(
    value: &Option<Duration>,
    s: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => micros(value, s),
        None => s.serialize_none(),
    }
}

/// Length of the longest chain of requests each of which began after the one before had been answered.
///
/// Requests made at the same time count as one hop, so this is the number of round trips a client
/// waited for. Give every answer some latency ([`Effect::Latency`](crate::Effect::Latency) on
/// [`Operation::Any`](crate::Operation::Any)) to make simultaneous requests overlap for certain.
#[must_use]
pub fn sequential_hops(requests: &[RequestRecord]) -> usize {
    let mut spans: Vec<(Duration, Duration)> =
        requests.iter().map(|r| (r.ended.unwrap_or(Duration::MAX), r.started)).collect();
    spans.sort_unstable();
    let mut hops = 0;
    let mut free_from = None;
    for (ended, started) in spans {
        if free_from.is_none_or(|free_from| started >= free_from) {
            hops += 1;
            free_from = Some(ended);
        }
    }
    hops
}

/// Requests recorded at most; the oldest go first.
const CAPACITY: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    records: Vec<RequestRecord>,
    next: u64,
}

impl RequestLog {
    pub(crate) fn begin(&mut self, request: &Request, status: u16, started: Duration) -> u64 {
        let sequence = self.next;
        self.next += 1;
        if self.records.len() >= CAPACITY {
            self.records.drain(..CAPACITY / 2);
        }
        self.records.push(RequestRecord {
            sequence,
            method: request.method.clone(),
            path: request.path.clone(),
            user_agent: request.header("user-agent").map(str::to_owned),
            status,
            started,
            ended: None,
        });
        sequence
    }

    /// Fills in the status of a request that was answered later.
    pub(crate) fn set_status(&mut self, sequence: u64, status: u16) {
        if let Some(record) = self.find(sequence) {
            record.status = status;
        }
    }

    pub(crate) fn end(&mut self, sequence: u64, ended: Duration) {
        if let Some(record) = self.find(sequence) {
            record.ended = Some(ended);
        }
    }

    fn find(&mut self, sequence: u64) -> Option<&mut RequestRecord> {
        self.records.iter_mut().rev().find(|record| record.sequence == sequence)
    }

    pub(crate) fn list(&self) -> &[RequestRecord] {
        &self.records
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_requests_are_one_hop() {
        let ms = Duration::from_millis;
        let request = Request::new("GET", "/", "");
        let mut log = RequestLog::default();
        for (started, ended) in [(0, 10), (11, 20), (11, 21), (12, 19), (21, 30)] {
            let sequence = log.begin(&request, 200, ms(started));
            log.end(sequence, ms(ended));
        }
        assert_eq!(sequential_hops(log.list()), 3);
        log.clear();
        assert_eq!(sequential_hops(log.list()), 0);
        assert_eq!(log.begin(&request, 200, ms(40)), 5, "sequence goes on");
    }
}
