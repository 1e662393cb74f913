//! Resource names of the workspace: projects, branches, endpoints.
//!
//! Parsing checks the segments, and that the ids are valid in a URL path. It does not check the documented pattern of
//! ids, because the web interface creates UUIDs and `br-…` / `ep-…` strings, which do not match it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Error, ErrorKind};

/// The longest accepted id. The service's limit is 63.
const MAX_ID: usize = 255;

/// A project: `projects/{project}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(Arc<str>);

/// A branch: `projects/{project}/branches/{branch}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchName(Arc<str>);

/// An endpoint: `projects/{project}/branches/{branch}/endpoints/{endpoint}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointName(Arc<str>);

impl BranchName {
    /// The branch with these ids.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if an id is empty, too long or has a character that is not allowed in a path.
    pub fn new(project: &str, branch: &str) -> Result<Self, Error> {
        id("project", project)?;
        id("branch", branch)?;
        Ok(Self(format!("projects/{project}/branches/{branch}").into()))
    }

    /// The full resource name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The project's id.
    #[must_use]
    pub fn project(&self) -> &str {
        segment(&self.0, 1)
    }

    /// The branch's id.
    #[must_use]
    pub fn branch(&self) -> &str {
        segment(&self.0, 3)
    }
}

impl EndpointName {
    /// The endpoint with this id on `branch`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the id is empty, too long or has a character that is not allowed in a path.
    pub fn new(branch: &BranchName, endpoint: &str) -> Result<Self, Error> {
        id("endpoint", endpoint)?;
        Ok(Self(format!("{branch}/endpoints/{endpoint}").into()))
    }

    /// The full resource name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch that the endpoint belongs to.
    #[must_use]
    pub fn branch(&self) -> BranchName {
        let end = self.0.rfind("/endpoints/").unwrap_or(self.0.len());
        BranchName(self.0[..end].into())
    }

    /// The endpoint's id.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        segment(&self.0, 5)
    }
}

pub(crate) const BRANCH: &str = "projects/{project}/branches/{branch}";
pub(crate) const ENDPOINT: &str = "projects/{project}/branches/{branch}/endpoints/{endpoint}";

impl FromStr for ProjectName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split('/').collect::<Vec<_>>()[..] {
            ["projects", project] => {
                id("project", project)?;
                Ok(Self(text.into()))
            }
            _ => Err(shape(text, "projects/{project}")),
        }
    }
}

impl FromStr for BranchName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split('/').collect::<Vec<_>>()[..] {
            ["projects", project, "branches", branch] => Self::new(project, branch),
            _ => Err(shape(text, BRANCH)),
        }
    }
}

impl FromStr for EndpointName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split('/').collect::<Vec<_>>()[..] {
            ["projects", project, "branches", branch, "endpoints", endpoint] => {
                Self::new(&BranchName::new(project, branch)?, endpoint)
            }
            _ => Err(shape(text, ENDPOINT)),
        }
    }
}

pub(crate) fn shape(text: &str, accepted: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("\"{}\" is not a resource name; accepted: {accepted}", printable(text)),
    )
}

fn id(what: &str, id: &str) -> Result<(), Error> {
    let reason = if id.is_empty() {
        "is empty"
    } else if id.len() > MAX_ID {
        "is longer than 255 bytes"
    } else if id == "." || id == ".." {
        "is a relative path"
    } else if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
        "has a character other than letters, digits and - . _ ~"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Config, format!("the {what} id \"{}\" {reason}", printable(id))))
}

/// The text without control characters. Code that escapes them would add two kilobytes to the wasm module.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

fn segment(name: &str, index: usize) -> &str {
    name.split('/').nth(index).unwrap_or_default()
}

macro_rules! print_as_text {
    ($($name:ident)*) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    )* };
}
print_as_text!(ProjectName BranchName EndpointName);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Target;

    #[test]
    fn takes_a_name_apart() {
        let name: EndpointName =
            "projects/shop/branches/br-1/endpoints/ep-quiet.7".parse().unwrap();
        assert_eq!(name.endpoint(), "ep-quiet.7");
        assert_eq!(name.branch().as_str(), "projects/shop/branches/br-1");
        assert_eq!(name.branch().project(), "shop");
        assert_eq!(name.branch().branch(), "br-1");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in [
            ("", "accepted: projects/{project}/branches/{branch} or projects/"),
            ("projects/p", "not a resource name"),
            ("projects//branches/b", "the project id \"\" is empty"),
            ("projects/p/branches/..", "is a relative path"),
            ("projects/p/branches/b/endpoints/e?x", "has a character other than"),
            (
                "projects/p/branches/b/roles/r",
                "accepted: projects/{project}/branches/{branch}/endpoints",
            ),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.to_string().contains(part), "{text}: {error}");
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(p in "[a-z0-9-]{1,63}", b in "[a-z0-9-]{1,63}", e in "[a-z0-9-]{1,63}") {
            let name = EndpointName::new(&BranchName::new(&p, &b).unwrap(), &e).unwrap();
            prop_assert_eq!(name.to_string().parse::<EndpointName>().unwrap(), name.clone());
            prop_assert_eq!(name.to_string().parse::<Target>().unwrap(), Target::Endpoint(name));
        }

        #[test]
        fn no_text_panics(text in "(projects|branches|endpoints|/|\\PC){0,20}") {
            if let Ok(target) = text.parse::<Target>() {
                prop_assert_eq!(target.to_string(), text);
            }
        }
    }
}
