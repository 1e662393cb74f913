//! Row `read`: reading a fresh token, by 1, 2 and 8 tasks on as many threads as there are cores, and the allocations of a read.
//!
//! Values are wall time divided by the reads of all tasks together. Subjects take turns in every round, so that a busy moment of the machine
//! does not fall on one of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use futures::executor::block_on;
use tokio::runtime::Runtime;

use crate::PEERS;
use crate::report::Report;
use crate::service::Service;
use crate::subject::{Subject, Visitor, visit_all};

const TASKS: [u32; 3] = [1, 2, 8];
const ROUNDS: usize = 101;
/// About as long as one measurement takes; short, so that most of them are not interrupted also on a busy machine.
const SPAN: Duration = Duration::from_millis(2);

/// One subject, ready to be measured.
struct Reader {
    name: &'static str,
    /// Time for so many reads by each of so many tasks.
    run: Box<dyn Fn(&Runtime, u32, u32) -> Duration>,
    /// Per read.
    allocations: f64,
}

struct Readers<'a> {
    runtime: &'a Runtime,
    list: Vec<Reader>,
}

impl Visitor for Readers<'_> {
    fn visit<S: Subject>(&mut self, name: &'static str) {
        let subject = self.runtime.block_on(async {
            let subject = S::new(&Service::new(Duration::ZERO, true)).await;
            assert!(subject.token().await, "{name} got no token");
            subject
        });
        let allocations = {
            let _inside = self.runtime.enter();
            allocations(&subject)
        };
        let run = move |runtime: &Runtime, tasks: u32, reads: u32| {
            runtime.block_on(async {
                let start = Instant::now();
                let tasks: Vec<_> = (0..tasks)
                    .map(|_| {
                        let subject = subject.clone();
                        tokio::spawn(async move {
                            for _ in 0..reads {
                                assert!(subject.token().await, "a fresh token");
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("reads succeed");
                }
                start.elapsed()
            })
        };
        self.list.push(Reader { name, run: Box::new(run), allocations });
    }
}

/// How many allocations a read makes on this thread, on average.
fn allocations(subject: &impl Subject) -> f64 {
    const TIMES: u32 = 1000;
    // The first read of a thread may register it somewhere.
    block_on(async { black_box(subject.token().await) });
    let counted = measure(|| {
        block_on(async {
            for _ in 0..TIMES {
                black_box(subject.token().await);
            }
        });
    });
    counted.count_total as f64 / f64::from(TIMES)
}

/// Measures; `absent` is why peers are not built in.
pub(crate) fn run(report: &mut Report, absent: &str) {
    let runtime = Runtime::new().expect("a runtime of as many threads as cores");
    let mut readers = Readers { runtime: &runtime, list: Vec::new() };
    visit_all(&mut readers);
    let readers = readers.list;
    // As many reads as fill the span, by the subject's own speed.
    let reads: Vec<u32> = readers
        .iter()
        .map(|reader| {
            let each = (reader.run)(&runtime, 1, 20_000) / 20_000;
            u32::try_from(SPAN.as_nanos() / each.as_nanos().max(1)).unwrap_or(u32::MAX)
        })
        .collect();
    let case = |tasks: u32| format!("{tasks} task{}", if tasks == 1 { "" } else { "s" });
    for round in 0..ROUNDS {
        for tasks in TASKS {
            for step in 0..readers.len() {
                // Every round begins with another one.
                let index = (step + round) % readers.len();
                let reads = (reads[index] / tasks).max(1);
                let reader = &readers[index];
                let time = (reader.run)(&runtime, tasks, reads);
                let each = time.as_nanos() as f64 / f64::from(reads * tasks);
                report.add(&case(tasks), reader.name, "ns per read", each);
            }
        }
    }
    let absents = PEERS.iter().filter(|peer| readers.iter().all(|it| it.name != **peer));
    for (peer, tasks) in absents.flat_map(|peer| TASKS.map(|tasks| (peer, tasks))) {
        report.note(&case(tasks), peer, "ns per read", absent);
    }
    for reader in &readers {
        report.add("any", reader.name, "allocations per read", reader.allocations);
    }
}
