//! The contract of [`Process`].

use std::path::Path;
use std::time::Duration;

use futures::FutureExt as _;
use lakebase_core::{ErrorKind, Process, Timer};

use super::within;

/// Output and status are told apart and complete, standard input is empty, and an unknown program is named.
pub async fn process(process: &dyn Process, timer: &dyn Timer) {
    let output = |script: &'static str| async move {
        let arguments = ["-c", script];
        within(timer, script, process.output("sh", &arguments)).await.expect("sh can be started")
    };
    let result = output("echo out; echo err >&2; exit 3").await;
    assert!(!result.success);
    assert_eq!((result.stdout.expose(), result.stderr.as_str()), ("out\n", "err\n"));
    assert!(!format!("{result:?}").contains("out\n"), "standard output may hold a token");

    let result = output("cat; printf done").await;
    assert!(result.success);
    assert_eq!(result.stdout.expose(), "done", "standard input is not empty");

    let result = output(
        "i=0; while [ $i -lt 3000 ]; do echo $i-0123456789-0123456789-0123456789; \
                         echo $i-0123456789-0123456789-0123456789 >&2; i=$((i+1)); done",
    )
    .await;
    assert_eq!(result.stdout.expose().lines().count(), 3000);
    assert_eq!(result.stderr.lines().count(), 3000);

    let program = "lakebase-no-such-program";
    let error =
        within(timer, program, process.output(program, &[])).await.expect_err("no such program");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(program), "{error}");
}

/// Dropping the future ends the program; `scratch` is an empty folder.
pub async fn process_ends_when_dropped(process: &dyn Process, timer: &dyn Timer, scratch: &Path) {
    let file = scratch.join("pid");
    let path = file.to_str().expect("a path in UTF-8");
    let script = r#"echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 1000"#;
    let arguments = ["-c", script, path];
    let mut running = process.output("sh", &arguments);
    let pid = within(timer, "the program's start", async {
        loop {
            assert!((&mut running).now_or_never().is_none(), "the program ended");
            if let Ok(pid) = std::fs::read_to_string(&file) {
                return pid.trim().to_owned();
            }
            timer.sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    drop(running);
    within(timer, "the program's end", async {
        let probe = format!("kill -0 {pid} 2>/dev/null");
        while process.output("sh", &["-c", &probe]).await.expect("sh can be started").success {
            timer.sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
