//! Row `callers`: what many callers of an empty cache, and impatient ones, cost the service and wait.
//!
//! A mint takes 100 ms. In tokio's paused time, which jumps to the next timer when nothing else is to do, except for subjects that use a
//! socket: these take real time.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::PEERS;
use crate::report::Report;
use crate::service::Service;
use crate::subject::{Subject, Visitor, visit_all};

const MINT: Duration = Duration::from_millis(100);
const CROWDS: [u32; 2] = [100, 10_000];
const IMPATIENT: u32 = 20;
const PATIENCE: Duration = Duration::from_millis(50);
/// For one case, in real time: some peers need work that grows with the square of the callers.
const LIMIT: Duration = Duration::from_secs(10);

/// By unit.
type Values = Vec<(&'static str, f64)>;

struct Callers<'a> {
    report: &'a mut Report,
}

impl Visitor for Callers<'_> {
    fn visit<S: Subject>(&mut self, name: &'static str) {
        // The floor has no flights to share.
        if name == "floor" {
            return;
        }
        let note = match name {
            "azure_identity 1.0.0" => "its failure is HTTP 400, which it does not repeat by itself",
            _ if S::VIRTUAL => "",
            _ => "in real time, because a socket takes part",
        };
        for works in [true, false] {
            for callers in CROWDS {
                let case =
                    format!("{callers} callers, {}", if works { "success" } else { "failure" });
                let values = within(move || runtime::<S>().block_on(crowd::<S>(callers, works)));
                self.add(&case, name, note, values);
            }
        }
        let case = format!("{IMPATIENT} impatient callers");
        self.add(&case, name, note, within(|| runtime::<S>().block_on(impatient::<S>())));
    }
}

impl Callers<'_> {
    fn add(&mut self, case: &str, name: &str, note: &str, values: Option<Values>) {
        for (unit, value) in values.iter().flatten() {
            self.report.add(case, name, unit, *value);
            self.report.note(case, name, unit, note);
        }
        if values.is_none() {
            let late = format!("not over after {} s of real time", LIMIT.as_secs());
            self.report.note(case, name, "mints", late);
        }
    }
}

fn runtime<S: Subject>() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(S::VIRTUAL);
    builder.build().expect("a runtime of one thread")
}

/// What `work` gives, or nothing if it takes too long in real time; then its thread is left alone.
fn within(work: impl FnOnce() -> Values + Send + 'static) -> Option<Values> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || drop(sender.send(work())));
    receiver.recv_timeout(LIMIT).ok()
}

/// Everybody at once.
async fn crowd<S: Subject>(callers: u32, works: bool) -> Values {
    let service = Service::new(MINT, works);
    let subject = S::new(&service).await;
    let start = Instant::now();
    let mut crowd = JoinSet::new();
    for _ in 0..callers {
        let subject = subject.clone();
        crowd.spawn(async move { subject.token().await });
    }
    let served = crowd.join_all().await.into_iter().filter(|served| *served).count();
    let last = start.elapsed();
    assert_eq!(served, if works { callers as usize } else { 0 }, "served callers");
    vec![("mints", f64::from(service.mints())), ("ms until the last", last.as_secs_f64() * 1e3)]
}

/// One after the other, each giving up before a mint is over.
async fn impatient<S: Subject>() -> Values {
    let service = Service::new(MINT, true);
    let subject = S::new(&service).await;
    let mut served = 0;
    for _ in 0..IMPATIENT {
        served += u32::from(timeout(PATIENCE, subject.token()).await == Ok(true));
    }
    vec![("mints", f64::from(service.mints())), ("callers served", f64::from(served))]
}

/// Measures; `absent` is why peers are not built in.
pub(crate) fn run(report: &mut Report, absent: &str) {
    visit_all(&mut Callers { report });
    for peer in PEERS {
        if report.entries.iter().all(|entry| entry.subject != *peer) {
            report.note("", peer, "mints", absent);
        }
    }
}
