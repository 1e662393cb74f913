//! `lakebase doctor`: goes the way of a login step by step, and names the step that fails.

mod configuration;
mod fault;
mod identity;
mod login;
mod network;
mod question;
mod report;
mod tls;
mod workspace;

use std::sync::Arc;

use lakebase_runtime::SystemClock;

use self::report::Report;
use crate::cli::Global;
use crate::settings;

/// Examines what the flags and the environment describe. Exit code 1 if anything is wrong.
pub(crate) async fn run(global: &Global) -> anyhow::Result<i32> {
    let mut report = Report::new(global, Arc::new(SystemClock));
    let mut shown = Vec::new();
    let configuration = async {
        let examined;
        (shown, examined) = configuration::examine(settings::builder(global));
        examined
    };
    let lakebase = report.step("configuration", configuration).await?;
    report.settings(shown.clone())?;
    let Some(lakebase) = lakebase else {
        report.skip_rest("the configuration cannot be used")?;
        return report.finish();
    };
    let found = workspace::examine(&mut report, &lakebase, &shown).await?;
    let config = lakebase.connector().config();
    let obstacle = if config.socket_directory.is_some() {
        network::examine_socket(&mut report, config).await?
    } else if let Some(host) = workspace::host(&lakebase, &found).await {
        network::examine(&mut report, &lakebase, &host).await?
    } else {
        Some("the host is not known")
    };
    match obstacle {
        Some(why) => report.skip_rest(why)?,
        None if !found.can_log_in => report.skip_rest("there is nothing to log in with")?,
        None => login::examine(&mut report, global, &lakebase).await?,
    }
    report.finish()
}
