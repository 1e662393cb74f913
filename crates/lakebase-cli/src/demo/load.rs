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
const PAUSE: Duration = Duration::from_millis(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LoadState {
    Running,
    Paused,
    Ended,
}

/// Tasks under way; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Load {
    state: watch::Sender<LoadState>,
    tasks: JoinSet<()>,
    tally: Arc<Tally>,
}

impl Load {
    pub(crate) fn start(pool: &LakebasePool, clock: &Arc<dyn Clock>, tally: &Arc<Tally>) -> Self {
        let (state, opened) = watch::channel(LoadState::Running);
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
        Self { state, tasks, tally: Arc::clone(tally) }
    }

    /// Lets the queries under way end and starts no more.
    pub(crate) async fn pause(&self) {
        self.state.send_replace(LoadState::Paused);
        while self.tally.running() > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) fn resume(&self) {
        self.state.send_replace(LoadState::Running);
    }

    /// Lets the queries under way end, and with them the tasks.
    pub(crate) async fn finish(mut self) -> anyhow::Result<()> {
        self.state.send_replace(LoadState::Ended);
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
    async fn run(self, mut states: watch::Receiver<LoadState>) {
        loop {
            // `begin` comes before the look at the state, so that a pause cannot miss this query.
            self.tally.begin();
            let state = *states.borrow_and_update();
            if state == LoadState::Running {
                self.query().await;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            self.tally.cancel();
            if state == LoadState::Ended || states.changed().await.is_err() {
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
