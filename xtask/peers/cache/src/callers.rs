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

use crate::service::Service;
use crate::subject::{Subject, Visitor, visit_all};
use crate::{PEERS, line};

const MINT: Duration = Duration::from_millis(100);
const CROWDS: [u32; 2] = [100, 10_000];
const IMPATIENT: u32 = 20;
const PATIENCE: Duration = Duration::from_millis(50);
/// For one case, in real time: some peers need work that grows with the square of the callers.
const LIMIT: Duration = Duration::from_secs(10);

/// What one case gave.
struct Outcome {
    case: String,
    /// `None` if it took too long.
    values: Option<Values>,
}

/// By unit.
type Values = Vec<(&'static str, f64)>;

#[derive(Default)]
struct Callers {
    /// By subject.
    outcomes: Vec<(&'static str, bool, Vec<Outcome>)>,
}

impl Visitor for Callers {
    fn visit<S: Subject>(&mut self, name: &'static str) {
        // The floor has no flights to share.
        if name == "floor" {
            return;
        }
        let mut outcomes = Vec::new();
        for works in [true, false] {
            for callers in CROWDS {
                let (case, place) = (case(callers, works), (callers, works));
                outcomes.push(within(case, move || {
                    runtime::<S>().block_on(crowd::<S>(place.0, place.1))
                }));
            }
        }
        let case = format!("{IMPATIENT} impatient callers");
        outcomes.push(within(case, || runtime::<S>().block_on(impatient::<S>())));
        self.outcomes.push((name, S::VIRTUAL, outcomes));
    }
}

fn runtime<S: Subject>() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(S::VIRTUAL);
    builder.build().expect("a runtime of one thread")
}

fn case(callers: u32, works: bool) -> String {
    format!("{callers} callers, {}", if works { "success" } else { "failure" })
}

/// What `work` gives, or nothing if it takes too long in real time; then its thread is left alone.
fn within(case: String, work: impl FnOnce() -> Values + Send + 'static) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || drop(sender.send(work())));
    Outcome { case, values: receiver.recv_timeout(LIMIT).ok() }
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

/// Measures and prints; `absent` is why peers are not built in.
pub(crate) fn run(absent: &str) {
    let mut callers = Callers::default();
    visit_all(&mut callers);
    for unit in ["mints", "ms until the last", "callers served"] {
        for (name, in_virtual_time, outcomes) in &callers.outcomes {
            let note = match *name {
                "azure_identity 1.0.0" => {
                    "its failure is HTTP 400, which it does not repeat by itself"
                }
                _ if *in_virtual_time => "",
                _ => "in real time, because a socket takes part",
            };
            for Outcome { case, values } in outcomes {
                let Some(values) = values else {
                    if unit == "mints" {
                        let late = format!("not over after {} s of real time", LIMIT.as_secs());
                        println!("{}", line::of("callers", case, name, unit, &[], &late));
                    }
                    continue;
                };
                if let Some((_, value)) = values.iter().find(|(it, _)| *it == unit) {
                    println!("{}", line::of("callers", case, name, unit, &[*value], note));
                }
            }
        }
    }
    for peer in PEERS.iter().filter(|peer| callers.outcomes.iter().all(|(name, ..)| name != *peer))
    {
        println!("{}", line::of("callers", "", peer, "mints", &[], absent));
    }
}
