//! Shows on a terminal what the command waits for, once it takes longer than a second.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::time::Duration;

use futures::future::{Either, select};
use lakebase::Lakebase;
use lakebase::core::{Clock as _, EndpointState};
use lakebase_runtime::SystemClock;

use crate::cli::Global;
use crate::process;

/// The text for the wait of most commands.
pub(crate) const ASKING: &str = "asking the workspace";

/// Shorter waits are not shown.
const SHOW_AFTER: Duration = Duration::from_secs(1);

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_millis(200);

/// Does `work` and says meanwhile that this is being done: `what`.
pub(crate) async fn during<T>(global: &Global, what: &str, work: impl Future<Output = T>) -> T {
    shown(global, &Cell::new(what), work).await
}

/// Does `work`, which logs in to `lakebase`, and says meanwhile whether a compute is being woken.
pub(crate) async fn logging_in<T>(
    global: &Global,
    lakebase: &Lakebase,
    work: impl Future<Output = T>,
) -> T {
    let config = lakebase.connector().config();
    let what = Cell::new("logging in");
    let look = async {
        // Asks nothing that the login does not ask for, too: both share what comes back.
        if config.host.is_none()
            && config.socket_directory.is_none()
            && let Ok(Some(endpoint)) = lakebase.endpoint().await
        {
            match endpoint.state {
                EndpointState::Idle => what.set("waking the compute"),
                EndpointState::Init => what.set("waiting for the new compute"),
                _ => {}
            }
        }
        std::future::pending::<()>().await
    };
    let work = async {
        match select(std::pin::pin!(work), std::pin::pin!(look)).await {
            Either::Left((value, _)) => value,
            Either::Right(((), work)) => work.await,
        }
    };
    shown(global, &what, work).await
}

async fn shown<T>(global: &Global, what: &Cell<&str>, work: impl Future<Output = T>) -> T {
    // Verbose lines tell more, and would be drawn over.
    if global.quiet || global.verbose || !process::can_redraw() {
        return work.await;
    }
    let start = SystemClock.monotonic();
    let mut work = std::pin::pin!(work);
    let mut line = Line::default();
    loop {
        match select(work, std::pin::pin!(tokio::time::sleep(TICK))).await {
            Either::Left((value, _)) => {
                line.draw("");
                return value;
            }
            Either::Right(((), unfinished)) => {
                work = unfinished;
                line.draw(&text(what.get(), SystemClock.monotonic().saturating_sub(start)));
            }
        }
    }
}

/// Nothing at first, then what and since when.
fn text(what: &str, elapsed: Duration) -> String {
    match elapsed < SHOW_AFTER {
        true => String::new(),
        false => format!("{what} … {} s", elapsed.as_secs()),
    }
}

/// A line that is drawn in place; taken away when it is dropped, too.
#[derive(Debug, Default)]
struct Line(String);

impl Line {
    fn draw(&mut self, text: &str) {
        if text != self.0 {
            // To the first column, and erase to the end of the line.
            let _ = write!(io::stderr(), "\r\u{1b}[K{text}");
            let _ = io::stderr().flush();
            self.0 = text.to_owned();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.draw("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quick_is_not_mentioned() {
        assert_eq!(text("logging in", Duration::from_millis(999)), "");
        assert_eq!(
            text("waking the compute", Duration::from_millis(2_900)),
            "waking the compute … 2 s"
        );
    }
}
