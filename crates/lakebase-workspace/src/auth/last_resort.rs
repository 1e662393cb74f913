//! The identity if nothing is configured: the login of a CLI.
//!
//! The Databricks CLI is used. On Azure the Azure CLI comes first, as in Databricks' SDK for Python 0.162
//! (`credentials_provider.py` `DefaultCredentials`), and the Databricks CLI if that is not installed or not logged in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use lakebase_core::refresh::Demand;
use lakebase_core::{ErrorKind, Result};

use super::azure::{self, azure};
use super::kind::{Prepared, Reading};
use super::{AccessToken, TokenSource, azure_cli, cli, m2m};
use crate::session::Session;

/// The identity of the user of this machine.
pub(crate) fn last_resort(reading: &Reading<'_>) -> Result<(&'static str, Prepared)> {
    if let Some(error) = m2m::half(reading) {
        return Err(error);
    }
    let databricks = cli::prepare(reading, true);
    if !azure::is_azure(reading) {
        return Ok((cli::KIND.name, databricks));
    }
    let Some(azure) = azure(reading)? else { return Ok((cli::KIND.name, databricks)) };
    let azure = azure_cli::prepare(azure);
    let prepared = move |session: &Session| {
        Arc::new(LogIns {
            azure: azure(session),
            databricks: databricks(session),
            use_databricks: AtomicBool::new(false),
        }) as Arc<dyn TokenSource>
    };
    Ok((azure_cli::KIND.name, Arc::new(prepared)))
}

/// The login of one CLI or the other.
#[derive(Debug)]
struct LogIns {
    azure: Arc<dyn TokenSource>,
    databricks: Arc<dyn TokenSource>,
    /// Whether the second succeeded after the first had failed.
    use_databricks: AtomicBool,
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl TokenSource for LogIns {
    async fn fetch(&self, demand: Demand) -> Result<AccessToken> {
        if self.use_databricks.load(Ordering::Relaxed) {
            return self.databricks.fetch(demand).await;
        }
        match self.azure.fetch(demand).await {
            Err(error)
                if matches!(error.kind(), ErrorKind::Config | ErrorKind::Unauthenticated) =>
            {
                let token = self.databricks.fetch(demand).await;
                let token = token.map_err(|other| other.context(error.report()))?;
                self.use_databricks.store(true, Ordering::Relaxed);
                Ok(token)
            }
            result => result,
        }
    }

    fn auth_type(&self) -> &str {
        match self.use_databricks.load(Ordering::Relaxed) {
            true => cli::KIND.name,
            false => azure_cli::KIND.name,
        }
    }

    fn describe(&self) -> String {
        match self.use_databricks.load(Ordering::Relaxed) {
            true => self.databricks.describe(),
            false => self.azure.describe(),
        }
    }
}
