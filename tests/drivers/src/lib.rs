//! The stage on which each driver's logins are played through: two rotations of tokens, a compute that sleeps, a token that is refused.
//!
//! No time passes: the clocks of the client and of the emulated workspace are moved by hand.

mod stage;
mod trips;

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Instant;

use lakebase::Lakebase;
use tokio::runtime::Runtime;

use crate::stage::Stage;

/// What a recipe fails with.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A driver that was set up by its recipe.
pub trait Driver: Sized {
    /// Follows the recipe.
    fn open(lakebase: &Lakebase) -> impl Future<Output = Result<Self, Failure>>;

    /// Has `count` sessions at the same time, and asks each of them for its process, `pg_backend_pid()`.
    fn processes(&self, count: usize) -> impl Future<Output = Result<Vec<i32>, Failure>>;
}

/// What [`Driver::processes`] returns of a pool: `count` sessions that `open` gets are held while `ask` asks each for its process.
///
/// # Errors
///
/// The first of either.
pub async fn ask_each<S>(
    count: usize,
    open: impl AsyncFn() -> Result<S, Failure>,
    ask: impl AsyncFn(&mut S) -> Result<i32, Failure>,
) -> Result<Vec<i32>, Failure> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(open().await?);
    }
    let mut processes = Vec::new();
    for session in &mut held {
        processes.push(ask(session).await?);
    }
    Ok(processes)
}

/// What happens before there has to be one session more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Start,
    /// More than an hour passes, so that the token is dead.
    Rotation,
    /// The compute is suspended, which ends all sessions.
    Suspension,
    /// The token is refused long before its end.
    Revocation,
}

const PLAY: [Event; 5] =
    [Event::Start, Event::Rotation, Event::Rotation, Event::Suspension, Event::Revocation];

/// Plays the whole of it with driver `D`. After each event there have to be more sessions than there are, so there has to be a login; where
/// the event has made the token useless, that login has used a new one.
///
/// # Panics
///
/// If anything that the driver does fails, or a login is not as it should be.
pub fn play<D: Driver>() {
    let stage = Stage::new();
    runtime().block_on(async {
        let mut before = stage.counts();
        let driver = D::open(&stage.lakebase).await.expect("the recipe works");
        for event in PLAY {
            stage.make_happen(event);
            let sessions = stage.sessions() + 1;
            let processes = driver.processes(sessions).await;
            let processes =
                processes.unwrap_or_else(|error| panic!("{sessions} after {event:?}: {error:?}"));
            assert_eq!(processes.iter().collect::<BTreeSet<_>>().len(), sessions, "{event:?}");
            let now = stage.counts();
            now.since(before).expect_after(event);
            before = now;
        }
        drop(driver);
        cost::<D>(&stage).await;
    });
}

/// Prints what the driver costs, on a stage of its own.
///
/// # Panics
///
/// If anything that the driver does fails.
pub fn print_cost<D: Driver>() {
    let stage = Stage::new();
    runtime().block_on(cost::<D>(&stage));
}

/// Runs `work` on a stage of its own.
pub fn with_lakebase(work: impl AsyncFnOnce(&Lakebase)) {
    let stage = Stage::new();
    runtime().block_on(work(&stage.lakebase));
}

fn runtime() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().expect("a runtime starts")
}

/// So many uses of a session give a mean that does not depend on what a pool does beside them.
const USES: usize = 20;

/// How often the time of uses is measured.
const TURNS: usize = 25;

/// Prints the round trips that the driver needs, and with optimization also the time: `cargo test -- --nocapture` shows them.
#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
async fn cost<D: Driver>(stage: &Stage) {
    let start = stage.trips();
    let driver = D::open(&stage.lakebase).await.expect("the recipe works");
    let used = async |uses| {
        for _ in 0..uses {
            driver.processes(1).await.expect("a session can be used");
        }
        stage.trips()
    };
    let first = used(1).await - start;
    // A pool that takes sessions back later than it is asked for the next one opens others, but not for ever.
    let warm = used(USES).await;
    let later = (used(USES).await - warm) as f64 / USES as f64;
    let name = std::any::type_name::<D>();
    println!("{name}: round trips: {first} up to the first row, {later:.1} for each use after it");
    if cfg!(debug_assertions) {
        return;
    }
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        let begun = Instant::now();
        used(USES).await;
        turns.push(begun.elapsed() / USES as u32);
    }
    turns.sort();
    println!("{name}: {:.0?} for each use", turns[TURNS / 2]);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// So many lines are still a recipe.
    const LIMIT: usize = 20;

    #[test]
    fn recipes_are_short() {
        let mut recipes = 0;
        for entry in fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
            let path = entry.unwrap().path().join("recipe.rs");
            if !Path::is_file(&path) {
                continue;
            }
            recipes += 1;
            let text = fs::read_to_string(&path).unwrap();
            for recipe in text.split("// ANCHOR: ").skip(1) {
                // The first line is the anchor's name.
                let lines = recipe.split("// ANCHOR_END").next().unwrap().lines().skip(1).count();
                assert!(lines <= LIMIT, "{}: {lines} lines", path.display());
            }
        }
        assert!(recipes > 0);
    }
}
