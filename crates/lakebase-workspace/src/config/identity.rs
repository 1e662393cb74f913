//! The identity that the settings describe.

use std::collections::BTreeSet;
use std::sync::Arc;

use lakebase_core::{Environment, Error, ErrorKind, Result, Setting};

use super::attribute::UNSUPPORTED;
use super::settings::Settings;
use crate::auth::{CHAIN, Prepared, Reading, last_resort};
use crate::{TokenSource, WorkspaceHost};

/// The source of tokens.
#[derive(Clone)]
pub(super) enum Identity {
    Configured { auth_type: &'static str, prepared: Prepared },
    Source(Arc<dyn TokenSource>),
}

/// The identity that `settings` describe: the one that `auth_type` names, otherwise the first of [`CHAIN`] that is
/// configured.
pub(super) fn choose(
    settings: &Settings,
    environment: &Environment,
    host: &Setting<WorkspaceHost>,
) -> Result<Identity> {
    let supported = CHAIN.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    let mut reading = Reading { settings, environment, host, demanded: false };
    if let Some(wanted) = settings.get("auth_type") {
        let name = wanted.value.as_str();
        let Some(kind) = CHAIN.iter().find(|kind| kind.name == name) else {
            return Err(if UNSUPPORTED.contains(&name) {
                let problem = format!("{name:?} is not supported; supported: {supported}");
                Error::new(ErrorKind::Unsupported, format!("{}: {problem}", wanted.origin))
            } else {
                wanted.error(format!("{name:?} is not known; accepted: {supported}"))
            });
        };
        reading.demanded = true;
        let prepared = (kind.read)(&reading)?.ok_or_else(|| {
            wanted.error(format!("{name} needs {}, which is not set", kind.needs))
        })?;
        return Ok(Identity::Configured { auth_type: kind.name, prepared });
    }
    check_ambiguity(settings)?;
    if let Some((_, setting)) = settings.of(Some("basic")).next() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} configures an identity by user name and password, which is not supported; supported: {supported}; to use one of these, set auth_type (DATABRICKS_AUTH_TYPE)",
                setting.origin
            ),
        ));
    }
    for kind in CHAIN {
        if let Some(prepared) = (kind.read)(&reading)? {
            return Ok(Identity::Configured { auth_type: kind.name, prepared });
        }
    }
    let (auth_type, prepared) = last_resort(&reading)?;
    Ok(Identity::Configured { auth_type, prepared })
}

fn check_ambiguity(settings: &Settings) -> Result<()> {
    let kinds: BTreeSet<_> =
        settings.of(None).filter_map(|(attribute, _)| attribute.auth).collect();
    if kinds.len() <= 1 {
        return Ok(());
    }
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(" and ");
    let from: Vec<_> = settings.of(None).map(|(_, setting)| setting.origin.to_string()).collect();
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "more than one authorization method configured: {kinds}; set by {}; remove one, or set auth_type (DATABRICKS_AUTH_TYPE)",
            from.join(", ")
        ),
    ))
}
