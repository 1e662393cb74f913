//! `lakebase exec`: any program, told by libpq's variables to connect to a private tunnel.

use tokio::process::Command;

use super::child::address::LocalAddress;
use super::child::run;
use crate::cli::{Exec, Global};
use crate::progress::{self, ASKING};
use crate::settings::lakebase;

pub(crate) async fn run_command(global: &Global, arguments: &Exec) -> anyhow::Result<i32> {
    let lakebase = lakebase(global)?;
    let open = LocalAddress::open(&lakebase, arguments.tcp);
    let address = progress::during(global, ASKING, open).await?;
    let [program, rest @ ..] = arguments.command.as_slice() else {
        anyhow::bail!("there is no command to run");
    };
    let mut command = Command::new(program);
    command.args(rest);
    address.tell(&mut command, arguments.pass_credentials);
    if let Some(name) = &arguments.url_variable {
        command.env(name, address.url().expose());
    }
    run(command).await
}
