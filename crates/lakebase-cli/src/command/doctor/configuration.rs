//! The settings, where each value came from, and whether they make sense.

use lakebase::workspace::{EffectiveSetting, SettingValue};
use lakebase::{Builder, Lakebase};

use super::fault::Fault;
use super::report::{Examined, Finding, ShownSetting};

/// The settings as far as they can be told, and the database that they describe.
pub(super) fn examine(
    builder: lakebase::Result<Builder>,
) -> (Vec<ShownSetting>, Examined<Lakebase>) {
    let wrong = |error: lakebase::Error| Finding::new(Fault::Configuration, error.report());
    let builder = match builder {
        Ok(builder) => builder,
        Err(error) => return (Vec::new(), Err(wrong(error))),
    };
    let connection = shown(builder.effective_settings());
    let workspace = shown(builder.workspace_settings());
    match Builder::build(builder) {
        Ok(lakebase) => {
            let mut all = connection;
            if lakebase.workspace().is_some() {
                all.extend(workspace);
            }
            let detail = format!("{}, {} settings", summary(&lakebase), all.len());
            (all, Ok((lakebase, detail)))
        }
        Err(error) => (connection.into_iter().chain(workspace).collect(), Err(wrong(error))),
    }
}

/// Settings that cannot be read are an error of `build`, which reports them.
fn shown(settings: lakebase::Result<Vec<EffectiveSetting>>) -> Vec<ShownSetting> {
    let show = |EffectiveSetting { key, value, origin }| ShownSetting {
        name: key,
        value: match value {
            // No host has one: somebody put a password in front of it.
            SettingValue::Plain(text) if key == "host" && text.contains('@') => None,
            SettingValue::Plain(text) => Some(text),
            SettingValue::Secret(_) => None,
        },
        origin: origin.to_string(),
    };
    settings.unwrap_or_default().into_iter().map(show).collect()
}

fn summary(lakebase: &Lakebase) -> String {
    let config = lakebase.connector().config();
    match (&config.target, &config.socket_directory, &config.host) {
        (Some(target), ..) => target.to_string(),
        (None, Some(folder), _) => format!("the server in {}", folder.display()),
        (None, None, Some(host)) => format!("the server {host}"),
        (None, None, None) => "the server localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use lakebase::core::Environment;
    use lakebase_testkit::passwords::{self, PLACES};

    use super::*;

    #[test]
    fn ten_thousand_passwords_that_were_not_encoded_are_not_shown() {
        let mut refused = 0;
        for (password, place) in passwords::generate(10_000).zip(PLACES.into_iter().cycle()) {
            let url = place.replace("PASSWORD", &password);
            let environment = Environment::from_pairs([("LAKEBASE_PG_URL", url)]);
            let (settings, examined) = examine(Ok(Lakebase::builder().environment(environment)));
            refused += u32::from(examined.is_err());
            let said = match examined {
                Ok((_, detail)) => detail,
                Err(finding) => format!("{finding:?}"),
            };
            assert_eq!(
                passwords::leak(&password, &format!("{said} {settings:?}")),
                None,
                "{place}"
            );
        }
        assert!((5_000..9_900).contains(&refused), "{refused} were refused");
    }
}
