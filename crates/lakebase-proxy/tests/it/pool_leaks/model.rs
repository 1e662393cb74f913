//! What a client has to see, by PostgreSQL's rules about what ends with a transaction and what does not.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Identity;
use super::step::{Data, SETTINGS, Step};

/// A session, from a new one on.
#[derive(Clone, Debug)]
pub(super) struct Model {
    identity: Identity,
    /// Of the last `ReadyForQuery`.
    pub(super) status: u8,
    /// It has listened at some time.
    pub(super) may_hear: bool,
    /// What a rollback leaves alone.
    locks: BTreeSet<u8>,
    prepared: BTreeSet<u8>,
    /// What a rollback undoes.
    undone: Undone,
    /// As it was at the start of the transaction.
    before: Undone,
    /// What the end of the transaction undoes.
    local: BTreeMap<&'static str, &'static str>,
    /// What the end of the transaction does.
    listens_later: BTreeSet<u8>,
    listens: BTreeSet<u8>,
}

#[derive(Clone, Debug, Default)]
struct Undone {
    settings: BTreeMap<&'static str, &'static str>,
    name: Option<&'static str>,
    role: bool,
    tables: BTreeSet<u8>,
    cursors: BTreeSet<u8>,
}

impl Model {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            status: b'I',
            may_hear: false,
            locks: BTreeSet::new(),
            prepared: BTreeSet::new(),
            undone: Undone::default(),
            before: Undone::default(),
            local: BTreeMap::new(),
            listens_later: BTreeSet::new(),
            listens: BTreeSet::new(),
        }
    }

    /// What the session shows of itself.
    pub(super) fn sees(&self) -> String {
        let mut settings = self.undone.settings.clone();
        settings.extend(&self.local);
        let mut settings: Vec<_> =
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        settings.sort();
        let names = |letter: &str, all: &BTreeSet<u8>| {
            let all: Vec<_> = all.iter().map(|name| format!("{letter}{name}")).collect();
            all.join(",")
        };
        let Undone { name, role, tables, cursors, .. } = &self.undone;
        [
            if *role { "f" } else { "t" },
            name.unwrap_or(self.identity.application_name()),
            self.identity.geqo(),
            &settings.join(","),
            &names("t", tables),
            &names("", &self.locks),
            &names("s", &self.prepared),
            &names("c", cursors),
            &names("c", &self.listens),
        ]
        .join("|")
    }

    /// Whether it can be done here as the model understands it.
    pub(super) fn allows(&self, step: &Step) -> bool {
        let Undone { role, tables, cursors, .. } = &self.undone;
        match step {
            // Two of a name fail, which `Fail` does as well.
            Step::Table(name) => !tables.contains(name) && !role,
            Step::Prepare(name, _) => !self.prepared.contains(name),
            Step::Cursor(name) => !cursors.contains(name),
            // Whose table it is depends on the role.
            Step::Role => !role && tables.is_empty(),
            Step::Copy(_) => !role,
            _ => true,
        }
    }

    /// Does it.
    pub(super) fn performs(&mut self, step: &Step) {
        match (self.status, step) {
            (b'I', Step::Begin) => {
                self.status = b'T';
                self.before = self.undone.clone();
            }
            (b'T', Step::Commit) => {
                self.listens.append(&mut self.listens_later);
                self.local.clear();
                self.status = b'I';
            }
            (b'T' | b'E', Step::Commit | Step::Rollback) => {
                self.undone = self.before.clone();
                self.listens_later.clear();
                self.local.clear();
                self.status = b'I';
            }
            (b'E', _) => {}
            (b'I', Step::DiscardAll) => {
                *self = Self { may_hear: self.may_hear, ..self.discarded() }
            }
            (_, step) => {
                let fails = match step {
                    Step::Fail(_) | Step::DiscardAll | Step::Pipeline(true) => true,
                    Step::Copy(copy) => copy.data != Data::Good,
                    _ => false,
                };
                if let Step::Copy(_) = step {
                    self.undone.tables.insert(9);
                }
                match (fails, self.status) {
                    (true, b'T') => self.status = b'E',
                    (true, _) => {}
                    (false, _) => self.succeeds(step),
                }
            }
        }
    }

    /// After a `DISCARD ALL` of its own a client has the name of the login, not that of its start.
    fn discarded(&self) -> Self {
        let mut fresh = Self::new(self.identity);
        fresh.undone.name = Some(Identity::LOGIN);
        fresh
    }

    fn succeeds(&mut self, step: &Step) {
        let Undone { settings, name, role, tables, cursors } = &mut self.undone;
        match step {
            Step::Set(at) => {
                let (name, value) = SETTINGS[*at];
                settings.insert(name, value);
                self.local.remove(name);
            }
            Step::SetLocal(at) if self.status == b'T' => {
                let (name, value) = SETTINGS[*at];
                self.local.insert(name, value);
            }
            Step::Rename => *name = Some("renamed"),
            Step::Role => *role = true,
            Step::Table(number) => drop(tables.insert(*number)),
            Step::Cursor(number) => drop(cursors.insert(*number)),
            Step::Lock(key) => drop(self.locks.insert(*key)),
            Step::Prepare(number, _) => drop(self.prepared.insert(*number)),
            Step::Listen(channel) => {
                self.may_hear = true;
                match self.status {
                    b'T' => self.listens_later.insert(*channel),
                    _ => self.listens.insert(*channel),
                };
            }
            _ => {}
        }
    }
}
