//! The profile file `~/.databrickscfg`: an INI file as Databricks' SDK for Go reads it.
//!
//! No INI crate is used: errors must name the line without quoting it, because it may have a token, and INI crates differ
//! from the SDK in comments and inheritance.

use std::collections::BTreeMap;

use lakebase_core::{Error, ErrorKind};

/// The section with settings of the tools, which is no profile.
pub const SETTINGS: &str = "__settings__";

/// The profile if none is set.
pub const DEFAULT: &str = "DEFAULT";

/// A configuration file: profiles by name, each with its keys.
///
/// Not `Debug`: values may be secrets.
#[derive(Clone, Default)]
pub struct ProfileFile {
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

impl std::fmt::Debug for ProfileFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProfileFile").field("profiles", &self.profiles()).finish_non_exhaustive()
    }
}

impl ProfileFile {
    /// Parses the text of a file.
    ///
    /// Sections `[name]`; `key = value` or `key: value` with keys in any case; comments start with `#` or
    /// `;`, at the start of a line or after a blank; one pair of quotes around a value is removed. Keys before the first section
    /// belong to `DEFAULT`. The last of several values of a key counts. Nothing is inherited from `DEFAULT`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with the number of the first malformed line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut file = Self::default();
        let mut section = DEFAULT.to_owned();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            let refuse = |problem: &str| {
                let line = index + 1;
                Err(Error::new(
                    ErrorKind::Config,
                    format!("line {line} {problem}; accepted: [profile], key = value, # comment"),
                ))
            };
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let Some((name, rest)) = rest.split_once(']') else {
                    return refuse("starts a section without `]`");
                };
                let (name, rest) = (name.trim(), rest.trim());
                if name.is_empty() {
                    return refuse("starts a section without a name");
                }
                if !(rest.is_empty() || rest.starts_with(['#', ';'])) {
                    return refuse("has text after a section's name");
                }
                name.clone_into(&mut section);
                file.sections.entry(section.clone()).or_default();
                continue;
            }
            let Some((key, value)) = line.find(['=', ':']).map(|at| line.split_at(at)) else {
                return refuse("has no `=`");
            };
            let key = key.trim();
            if key.is_empty() {
                return refuse("has nothing before `=`");
            }
            let Some(value) = unquote(value.get(1..).unwrap_or_default().trim()) else {
                return refuse("has a quote that is not closed");
            };
            let keys = file.sections.entry(section.clone()).or_default();
            keys.insert(key.to_ascii_lowercase(), value.to_owned());
        }
        Ok(file)
    }

    /// The value of `key` in `profile`. An empty one counts as unset.
    #[must_use]
    pub fn get(&self, profile: &str, key: &str) -> Option<&str> {
        let value = self.sections.get(profile)?.get(key)?.as_str();
        Some(value).filter(|value| !value.is_empty())
    }

    /// Whether the profile exists.
    #[must_use]
    pub fn has(&self, profile: &str) -> bool {
        profile != SETTINGS && self.sections.contains_key(profile)
    }

    /// The names of all profiles, sorted.
    #[must_use]
    pub fn profiles(&self) -> Vec<&str> {
        self.sections.keys().map(String::as_str).filter(|name| *name != SETTINGS).collect()
    }

    /// The `default_profile` of the file.
    #[must_use]
    pub fn default_profile(&self) -> Option<&str> {
        self.get(SETTINGS, "default_profile")
    }
}

/// A value without its quotes and its inline comment, which follows a blank.
fn unquote(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inner, rest) = rest.split_once(quote)?;
            let rest = rest.trim_start();
            return (rest.is_empty() || rest.starts_with(['#', ';'])).then_some(inner);
        }
    }
    if value.starts_with(['#', ';']) {
        return Some("");
    }
    let comment = |pair: &[u8]| matches!(pair, [b' ' | b'\t', b'#' | b';']);
    let end = value.as_bytes().windows(2).position(comment).unwrap_or(value.len());
    Some(value[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_a_usual_file() {
        let text = "\u{feff}host = early\n[DEFAULT]\n; nothing\n[ dev ] # mine\nHost: https://w.example:8443 # here\r\ntoken = a#b ;c\n\tquoted = \"x # y\" # z\nempty = # none\n[dev]\ntoken=new=1\n[__settings__]\ndefault_profile = dev\n";
        let file = ProfileFile::parse(text).unwrap();
        assert_eq!(file.profiles(), ["DEFAULT", "dev"]);
        assert_eq!(file.default_profile(), Some("dev"));
        for (profile, key, value) in [
            ("DEFAULT", "host", Some("early")),
            ("dev", "host", Some("https://w.example:8443")),
            ("dev", "token", Some("new=1")),
            ("dev", "quoted", Some("x # y")),
            ("dev", "empty", None),
            ("prod", "host", None),
        ] {
            assert_eq!(file.get(profile, key), value, "{profile} {key}");
        }
        assert!(!file.has(SETTINGS));
        assert!(!format!("{file:?}").contains("new=1"));
    }

    #[test]
    fn errors_give_the_line_and_not_its_text() {
        for (text, problem) in [
            ("[dev]\ndapi-secret", "line 2 has no `=`; accepted: [profile], key = value"),
            ("\n\n[dev", "line 3 starts a section without `]`"),
            ("[ ]", "line 1 starts a section without a name"),
            ("[dev] dapi-secret", "line 1 has text after a section's name"),
            ("= dapi-secret", "line 1 has nothing before `=`"),
            ("token = \"dapi-secret", "line 1 has a quote that is not closed"),
            ("token = 'a' dapi-secret", "line 1 has a quote"),
        ] {
            let error = ProfileFile::parse(text).unwrap_err();
            assert!(error.to_string().starts_with(problem), "{text}: {error}");
            assert!(!format!("{error:?}").contains("dapi-secret"));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([\\[\\]=:#; \t\r\n\"']|[a-z]|\\PC){0,60}") {
            if let Ok(file) = ProfileFile::parse(&text) {
                for profile in file.profiles() {
                    prop_assert!(file.has(profile));
                }
            }
        }

        #[test]
        fn what_is_written_is_read(
            profile in "[a-zA-Z][a-zA-Z0-9_-]{0,20}", key in "[a-z_]{1,20}", value in "[!-~&&[^#;'\"]]([ -~&&[^#;]]{0,40}[!-~&&[^#;]])?",
        ) {
            let file = ProfileFile::parse(&format!("[{profile}]\n{key} = {value}\n")).unwrap();
            prop_assert_eq!(file.get(&profile, &key), Some(value.as_str()));
        }
    }
}
