//! The invariants. They are data: `xtask/isolation.toml` says what its fields mean.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::graph::Selection;
use crate::system::{Doing, Failure};

/// All invariants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rules {
    pub(super) groups: BTreeMap<String, Vec<String>>,
    pub(super) absent: Vec<AbsentRule>,
    pub(super) at_most: Vec<AtMostRule>,
    pub(super) over_sqlx: OverSqlxRule,
    pub(super) portable: PortableRule,
    pub(super) public: PublicRule,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AbsentRule {
    pub(super) of: Selection,
    pub(super) what: String,
    pub(super) names: Vec<String>,
    #[serde(default)]
    pub(super) present: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AtMostRule {
    pub(super) of: Selection,
    pub(super) limit: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverSqlxRule {
    pub(super) of: Selection,
    pub(super) extra: usize,
    pub(super) goal: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableRule {
    pub(super) crates: Vec<String>,
    pub(super) asks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicRule {
    pub(super) crates: Vec<String>,
    pub(super) private: Vec<String>,
}

impl Rules {
    /// Reads them, with groups in full.
    pub(super) fn read() -> Result<Self, Failure> {
        let mut rules: Self = toml::from_str(include_str!("../../isolation.toml"))
            .doing("read xtask/isolation.toml")?;
        for rule in &mut rules.absent {
            for name in std::mem::take(&mut rule.names) {
                let Some(group) = name.strip_prefix('@') else {
                    rule.names.push(name);
                    continue;
                };
                let names = rules.groups.get(group);
                let unknown = || Failure::new(format!("isolation.toml has no group `{group}`"));
                rule.names.extend_from_slice(names.ok_or_else(unknown)?);
            }
        }
        Ok(rules)
    }
}
