//! From flags to a [`Lakebase`].

use lakebase::core::{Setting, SettingOrigin, Target};
use lakebase::workspace::WorkspaceConfig;
use lakebase::{Access, Builder, Lakebase, Result};

use crate::cli::Global;

/// The database that the flags, the environment and the profile describe; errors name the flag.
pub(crate) fn lakebase(global: &Global) -> Result<Lakebase> {
    builder(global)?.build()
}

/// The same for `target`, which the flag `name` said, instead of what the flags and the environment say.
pub(crate) fn lakebase_at(global: &Global, name: &str, target: &Target) -> Result<Lakebase> {
    let elsewhere = Global {
        profile: global.profile.clone(),
        database: global.database.clone(),
        user: global.user.clone(),
        read_only: global.read_only,
        ..Global::default()
    };
    let setting =
        |value: &str| Setting::new(value.to_owned(), SettingOrigin::Explicit(name.into()));
    let builder = builder(&elsewhere)?;
    match target {
        Target::Endpoint(endpoint) => {
            builder.setting("endpoint", setting(&endpoint.to_string()))?
        }
        Target::Branch(branch) => builder
            .setting("project", setting(branch.project()))?
            .setting("branch", setting(branch.branch()))?,
        Target::Host(host) => builder.setting("host", setting(host))?,
    }
    .build()
}

/// The settings of the flags; the environment has the rest.
pub(crate) fn builder(global: &Global) -> Result<Builder> {
    let mut workspace =
        WorkspaceConfig::builder().product("lakebase-cli", env!("CARGO_PKG_VERSION"));
    if let Some(profile) = flag("--profile", &global.profile) {
        workspace = workspace.setting("profile", profile)?;
    }
    let mut builder = Lakebase::builder().workspace(workspace);
    for (name, flag_name, value) in [
        ("project", "--project", &global.project),
        ("branch", "--branch", &global.branch),
        ("endpoint", "--endpoint", &global.endpoint),
        ("database", "--database", &global.database),
        ("url", "--url", &global.url),
        ("user", "--user", &global.user),
    ] {
        if let Some(setting) = flag(flag_name, value) {
            builder = builder.setting(name, setting)?;
        }
    }
    Ok(if global.read_only { builder.access(Access::ReadOnly) } else { builder })
}

fn flag(name: &str, value: &Option<String>) -> Option<Setting<String>> {
    let value = value.clone()?;
    Some(Setting::new(value, SettingOrigin::Explicit(name.into())))
}
