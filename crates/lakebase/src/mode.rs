//! What the settings say to connect to.

use lakebase_core::{
    BranchName, EndpointName, Error, ErrorKind, Secret, Setting, SettingOrigin, Target,
};

use crate::settings::Settings;

/// The branch that every project has at first.
const DEFAULT_BRANCH: &str = "production";

/// The variables that name the endpoint, ours first.
///
/// Sources of the others: Databricks' app templates (`PGENDPOINT`) and "Connect external apps to Lakebase by API"
/// (`ENDPOINT_NAME`). Other programs use these names for other things, so only a value of the right form counts.
const ENDPOINT_VARIABLES: [&str; 3] = ["LAKEBASE_ENDPOINT", "PGENDPOINT", "ENDPOINT_NAME"];

/// The variable of sqlx, diesel and sea-orm, used if nothing else says what to connect to.
const LAST_RESORT: &str = "DATABASE_URL";

/// What the settings say to connect to.
pub(crate) enum Mode {
    /// A branch or endpoint of a workspace.
    Lakebase(Target),
    /// A server named by URL or host.
    Static,
}

impl Settings<'_> {
    /// The URL to use, if there is one; asked before its parts are known.
    pub(crate) fn url_setting(&self) -> Result<Option<Setting<Secret>>, Error> {
        let targets = ["endpoint", "project"];
        if let Some(url) = self.explicit.get("url") {
            if let Some(other) = targets.iter().find_map(|name| self.explicit.get(name)) {
                return Err(contradiction(&url.origin, &other.origin));
            }
            return Ok(Some(url.clone().into_secret()));
        }
        if targets.iter().any(|name| self.explicit.contains_key(name)) {
            return Ok(None);
        }
        if let Some(url) = self.environment.var("LAKEBASE_PG_URL") {
            return match targets.iter().find_map(|name| self.get(name)) {
                Some(other) => Err(contradiction(&url.origin, &other.origin)),
                None => Ok(Some(url.into_secret())),
            };
        }
        let says_more = ["endpoint", "project", "branch", "host", "hostaddr"];
        if says_more.iter().any(|name| self.get(name).is_some()) {
            return Ok(None);
        }
        Ok(self.environment.var(LAST_RESORT).map(Setting::into_secret))
    }

    /// Where the URL came from, if it is used only because nothing else says what to connect to.
    pub(crate) fn last_resort(&self) -> Option<SettingOrigin> {
        let origin = self.url_source.as_ref()?.origin.clone();
        Some(origin).filter(|origin| *origin == SettingOrigin::Environment(LAST_RESORT.into()))
    }

    /// The endpoint by the first variable that names one.
    pub(crate) fn endpoint_variable(&self) -> Option<Setting<String>> {
        self.endpoint_variables().next()
    }

    fn endpoint_variables(&self) -> impl Iterator<Item = Setting<String>> {
        ENDPOINT_VARIABLES.iter().filter_map(|variable| {
            let is_ours = *variable == ENDPOINT_VARIABLES[0];
            let is_name = |text: &str| text.parse::<EndpointName>().is_ok();
            self.environment.var(variable).filter(|setting| is_ours || is_name(&setting.value))
        })
    }

    /// What to connect to.
    pub(crate) fn mode(&self) -> Result<Mode, Error> {
        if self.has_url() {
            return Ok(Mode::Static);
        }
        // The program's target replaces the environment's as a whole; only a
        // branch alone goes with the environment's project.
        let explicit = ["endpoint", "project"].iter().any(|name| self.explicit.contains_key(name));
        let get = |name: &str| match explicit {
            true => self.explicit.get(name).cloned(),
            false => self.get(name),
        };
        if let (Some(endpoint), Some(branch)) = (get("endpoint"), self.explicit.get("branch")) {
            return Err(contradiction(&endpoint.origin, &branch.origin));
        }
        match (get("endpoint"), get("project")) {
            (Some(endpoint), Some(project)) => {
                Err(contradiction(&endpoint.origin, &project.origin))
            }
            (Some(endpoint), None) => {
                let differs = |other: &Setting<String>| other.value != endpoint.value;
                if !explicit && let Some(other) = self.endpoint_variables().find(differs) {
                    return Err(contradiction(&endpoint.origin, &other.origin));
                }
                Ok(Mode::Lakebase(endpoint.parse()?.value))
            }
            (None, Some(project)) => {
                let branch = get("branch");
                let id = branch.as_ref().map_or(DEFAULT_BRANCH, |branch| &branch.value);
                let name = BranchName::new(&project.value, id).map_err(|error| match &branch {
                    Some(branch) if error.to_string().contains("the branch") => branch.error(error),
                    _ => project.error(error),
                })?;
                Ok(Mode::Lakebase(Target::Branch(name)))
            }
            (None, None) => match (self.get("branch"), self.get("host")) {
                (_, Some(_)) => Ok(Mode::Static),
                (Some(branch), None) => {
                    Err(branch.error("a branch needs a project; set LAKEBASE_PROJECT too"))
                }
                (None, None) => Err(Error::new(
                    ErrorKind::Config,
                    "nothing says what to connect to; set one of LAKEBASE_ENDPOINT (projects/…/branches/…/endpoints/…), \
                     LAKEBASE_PROJECT (and LAKEBASE_BRANCH), LAKEBASE_PG_URL (postgresql://…), or PGHOST",
                )),
            },
        }
    }
}

fn contradiction(one: &SettingOrigin, other: &SettingOrigin) -> Error {
    let message = format!("{one} and {other} contradict each other; set only one of them");
    Error::new(ErrorKind::Config, message)
}
