//! `lakebase endpoints`: what the branch has, and which of it is connected to.

use anyhow::Context;
use lakebase::core::{BranchName, ComputeName, Endpoint, Target, choose_endpoint};
use serde::Serialize;

use crate::cli::Global;
use crate::output::{Table, note, print, print_json};
use crate::progress::{self, ASKING};
use crate::settings::lakebase;

/// The form of `--json`, in an array.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    endpoint_type: String,
    state: String,
    disabled: bool,
    host: Option<&'a str>,
    /// Whether this is the one that is connected to.
    chosen: bool,
}

pub(crate) async fn run(global: &Global) -> anyhow::Result<()> {
    let lakebase = lakebase(global)?;
    let config = lakebase.connector().config();
    let target = config.target.as_ref().context(
        "a server is configured, not a project; set --project or --endpoint to list a branch's endpoints",
    )?;
    let workspace = lakebase.workspace().context("no workspace is configured to be asked")?;
    let list = async |branch: &BranchName| {
        progress::during(global, ASKING, workspace.list_endpoints(branch)).await
    };
    let (endpoints, chosen) = match target {
        Target::Endpoint(name) => (list(&name.branch()).await?, Some(name.clone().into())),
        Target::Branch(branch) => {
            let endpoints = list(branch).await?;
            let chosen = choose_endpoint(target, config.access, &endpoints);
            let chosen = chosen.inspect_err(|error| note(format!("lakebase: warning: {error}")));
            (endpoints, chosen.ok().map(|endpoint| endpoint.name))
        }
        Target::Host(_) => {
            let found = progress::during(global, ASKING, lakebase.endpoint()).await?;
            let found = found.context("the workspace reports no endpoint for the host")?;
            let chosen = Some(found.name.clone());
            match found.name.as_endpoint() {
                Some(name) => (list(&name.branch()).await?, chosen),
                None => (vec![found], chosen),
            }
        }
    };
    let entries: Vec<Entry<'_>> =
        endpoints.iter().map(|endpoint| entry(endpoint, chosen.as_ref())).collect();
    match global.json {
        true => print_json(&entries),
        false => Ok(print(table(&entries).render())?),
    }
}

fn entry<'a>(endpoint: &'a Endpoint, chosen: Option<&ComputeName>) -> Entry<'a> {
    Entry {
        name: match &endpoint.name {
            ComputeName::Endpoint(name) => name.as_str(),
            ComputeName::Instance(name) => name,
        },
        endpoint_type: endpoint.endpoint_type.to_string(),
        state: endpoint.state.to_string(),
        disabled: endpoint.disabled,
        host: endpoint.hosts.host.as_deref(),
        chosen: chosen == Some(&endpoint.name),
    }
}

fn table(entries: &[Entry<'_>]) -> Table {
    let columns = ["", "name", "type", "state", "host"];
    let mut table = Table::new(columns.map(|name| (name, false)));
    for entry in entries {
        let state = match entry.disabled {
            true => format!("{}, disabled", entry.state),
            false => entry.state.clone(),
        };
        let mark = if entry.chosen { "*" } else { " " };
        let host = entry.host.unwrap_or("-");
        table.row([mark, entry.name, &entry.endpoint_type, &state, host]);
    }
    table
}
