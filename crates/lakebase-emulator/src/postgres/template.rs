//! An empty cluster, made once and copied for every emulator that lives at the same time.
//!
//! Making one takes about a second of processor time, copying it a tenth, and test suites start many emulators.
//! The last emulator to go takes the template with it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::supervise::Supervised;
use crate::Error;

/// `$1` our folder, `$2` folder of the programs. Standard output ends when initdb has.
const SCRIPT: &str = r#"
"$2/initdb" -U postgres -A trust -E UTF8 --locale=C --no-sync --wal-segsize=1 \
  -D "$1/data" </dev/null >"$1/log" 2>&1 &&
  : >"$1/made"
exec >/dev/null
while read -r _; do :; done
cd /
rm -rf "$1"
"#;

/// By folder of the programs.
static TEMPLATES: Mutex<BTreeMap<PathBuf, Weak<Template>>> = Mutex::new(BTreeMap::new());

#[derive(Debug)]
pub(super) struct Template(Supervised);

impl Template {
    /// The template for these programs, made now if there is none; blocks for that long.
    pub(super) fn shared(bin: &Path) -> Result<Arc<Self>, Error> {
        let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = templates.get(bin).and_then(Weak::upgrade) {
            return Ok(template);
        }
        let template = Arc::new(Self::make(bin)?);
        templates.insert(bin.to_owned(), Arc::downgrade(&template));
        Ok(template)
    }

    fn make(bin: &Path) -> Result<Self, Error> {
        let (supervised, output) = Supervised::start(SCRIPT, &[bin.as_os_str()])?;
        if let Some(mut output) = output {
            // Only its end matters.
            let _ = output.read_to_end(&mut Vec::new());
        }
        if supervised.folder().join("made").exists() {
            return Ok(Self(supervised));
        }
        let (bin, tail) = (bin.display(), supervised.last_words());
        Err(Error::new(format!(
            "Postgres from '{bin}' made no cluster; initdb's last words: {tail}"
        )))
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.folder().join("data")
    }
}
