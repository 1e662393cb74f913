//! The load: tasks that query through the pool without pause, until told otherwise.

use std::sync::Arc;
use std::time::Duration;

use lakebase::core::Clock;
use lakebase::{LakebasePool, sqlx};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::tally::Tally;
use super::world::WORKERS;

/// Between two queries of one task, so that the machine has time for the rest.
const BREATH: Duration = Duration::from_millis(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Paused,
    Closed,
}

/// Tasks under way; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Load {
    gate: watch::Sender<Gate>,
    tasks: JoinSet<()>,
    tally: Arc<Tally>,
}

impl Load {
    pub(crate) fn start(pool: &LakebasePool, clock: &Arc<dyn Clock>, tally: &Arc<Tally>) -> Self {
        let (gate, opened) = watch::channel(Gate::Open);
        let mut tasks = JoinSet::new();
        for number in 0..WORKERS {
            let worker = Worker {
                pool: pool.clone(),
                clock: Arc::clone(clock),
                tally: Arc::clone(tally),
                number: i64::from(number),
            };
            tasks.spawn(worker.run(opened.clone()));
        }
        Self { gate, tasks, tally: Arc::clone(tally) }
    }

    /// Lets the queries under way end and starts no more.
    pub(crate) async fn pause(&self) {
        self.gate.send_replace(Gate::Paused);
        while self.tally.running() > 0 {
            tokio::time::sleep(BREATH).await;
        }
    }

    pub(crate) fn resume(&self) {
        self.gate.send_replace(Gate::Open);
    }

    /// Lets the queries under way end, and with them the tasks.
    pub(crate) async fn finish(mut self) -> anyhow::Result<()> {
        self.gate.send_replace(Gate::Closed);
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }
}

struct Worker {
    pool: LakebasePool,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
    number: i64,
}

impl Worker {
    async fn run(self, mut gate: watch::Receiver<Gate>) {
        loop {
            // `begin` comes before the look at the gate, so that a pause cannot miss this query.
            self.tally.begin();
            let state = *gate.borrow_and_update();
            if state == Gate::Open {
                self.query().await;
                tokio::time::sleep(BREATH).await;
                continue;
            }
            self.tally.cancel();
            if state == Gate::Closed || gate.changed().await.is_err() {
                return;
            }
        }
    }

    async fn query(&self) {
        let started = self.clock.monotonic();
        let answer = sqlx::query_scalar::<_, i64>("select $1 + 1").bind(self.number);
        let failure = match answer.fetch_one(&self.pool).await {
            Ok(found) if found == self.number + 1 => None,
            Ok(found) => Some(format!("a query answered {found}, not {}", self.number + 1)),
            Err(error) => Some(crate::failure::line(&anyhow::Error::new(error))),
        };
        self.tally.end(self.clock.monotonic().saturating_sub(started), failure);
    }
}
