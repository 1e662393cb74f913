//! What clients do, and how they end.

use proptest::prelude::*;

use crate::support::{message, query};

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Set(usize),
    SetLocal(usize),
    Rename,
    Role,
    Table(u8),
    Lock(u8),
    Listen(u8),
    Notify(u8),
    /// By SQL, or by the extended protocol.
    Prepare(u8, bool),
    Cursor(u8),
    Begin,
    Commit,
    Rollback,
    /// A statement that fails, by the simple or the extended protocol.
    Fail(bool),
    /// Two synchronised statements without waiting, the first of which may fail.
    Pipeline(bool),
    Copy(Copy),
    CopyOut,
    Large,
    DiscardAll,
}

/// A COPY from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    /// By the extended protocol, with a `Sync` that is never answered, as libpq does it.
    pub(super) extended: bool,
    pub(super) data: Data,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Good,
    /// The server fails while the client goes on.
    Bad,
    /// The client fails.
    Failed,
}

/// How a client ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    Terminate,
    Close,
    /// After so many thousandths of what a step says, without reading anything, with or without `Terminate`.
    Cut(Step, usize, bool),
}

/// Settings, what they are set to, and how `pg_settings` shows that.
pub(super) const SETTINGS: [(&str, &str); 7] = [
    ("work_mem", "321"),
    ("TimeZone", "Asia/Tokyo"),
    ("client_encoding", "LATIN1"),
    ("search_path", "pg_catalog"),
    ("default_transaction_isolation", "serializable"),
    ("IntervalStyle", "iso_8601"),
    ("standard_conforming_strings", "off"),
];

pub(super) fn step() -> impl Strategy<Value = Step> {
    let few = 0_u8..3;
    let copy = (any::<bool>(), prop_oneof![Just(Data::Good), Just(Data::Bad), Just(Data::Failed)])
        .prop_map(|(extended, data)| Step::Copy(Copy { extended, data }));
    prop_oneof![
        3 => (0..SETTINGS.len()).prop_map(Step::Set),
        1 => (0..SETTINGS.len()).prop_map(Step::SetLocal),
        1 => Just(Step::Rename),
        1 => Just(Step::Role),
        2 => few.clone().prop_map(Step::Table),
        2 => few.clone().prop_map(Step::Lock),
        2 => few.clone().prop_map(Step::Listen),
        1 => few.clone().prop_map(Step::Notify),
        2 => (few.clone(), any::<bool>()).prop_map(|(name, extended)| Step::Prepare(name, extended)),
        2 => few.prop_map(Step::Cursor),
        3 => Just(Step::Begin),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        2 => any::<bool>().prop_map(Step::Fail),
        1 => any::<bool>().prop_map(Step::Pipeline),
        2 => copy,
        1 => Just(Step::CopyOut),
        1 => Just(Step::Large),
        1 => Just(Step::DiscardAll),
    ]
}

pub(super) fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        6 => Just(End::Terminate),
        3 => Just(End::Close),
        2 => (step(), 0_usize..=1000, any::<bool>()).prop_map(|(step, share, bye)| End::Cut(step, share, bye)),
    ]
}

/// `Parse` of `name`, and unless it has one, `Bind`, `Execute`; then `Sync`.
fn extended(name: &str, sql: &str) -> Vec<u8> {
    let parse = [name.as_bytes(), &[0], sql.as_bytes(), &[0, 0, 0]].concat();
    let mut all = message(b'P', &parse);
    if name.is_empty() {
        all.extend(message(b'B', &[0; 8]));
        all.extend(message(b'E', &[0; 5]));
    }
    all.extend(message(b'S', &[]));
    all
}

impl Step {
    /// What makes a table that a COPY can go to.
    pub(super) const TARGET: &str = "create temporary table if not exists t9 (x int)";

    /// All that a client says for it.
    pub(super) fn says(&self, worker: u32) -> Vec<u8> {
        match self {
            Self::Set(at) => {
                let (name, value) = SETTINGS[*at];
                query(&format!("set {name} to '{value}'"))
            }
            Self::SetLocal(at) => {
                let (name, value) = SETTINGS[*at];
                query(&format!("set local {name} to '{value}'"))
            }
            Self::Rename => query("set application_name to 'renamed'"),
            Self::Role => query("set role pg_monitor"),
            Self::Table(name) => query(&format!("create temporary table t{name} (x int)")),
            // Nobody else's.
            Self::Lock(key) => query(&format!("select pg_advisory_lock({worker}, {key})")),
            Self::Listen(channel) => query(&format!("listen c{channel}")),
            Self::Notify(channel) => query(&format!("notify c{channel}")),
            Self::Prepare(name, false) => query(&format!("prepare s{name} as select 1")),
            Self::Prepare(name, true) => extended(&format!("s{name}"), "select 1"),
            Self::Cursor(name) => query(&format!("declare c{name} cursor with hold for select 1")),
            Self::Begin => query("begin"),
            Self::Commit => query("commit"),
            Self::Rollback => query("rollback"),
            Self::Fail(false) => query("select 1/0"),
            Self::Fail(true) => extended("", "select 1/0"),
            Self::Pipeline(fails) => {
                let first = if *fails { "select 1/0" } else { "select 1" };
                [extended("", first), extended("", "select 2")].concat()
            }
            Self::Copy(copy) => [query(Self::TARGET), copy.begins(), copy.ends()].concat(),
            Self::CopyOut => query("copy (select generate_series(1, 1000)) to stdout"),
            Self::Large => query("select repeat('x', 1000) from generate_series(1, 300)"),
            Self::DiscardAll => query("discard all"),
        }
    }
}

impl Copy {
    pub(super) fn begins(self) -> Vec<u8> {
        let sql = "copy t9 from stdin";
        if self.extended { extended("", sql) } else { query(sql) }
    }

    pub(super) fn ends(self) -> Vec<u8> {
        let row: &[u8] = if self.data == Data::Bad { b"no number\n" } else { b"1\n" };
        let mut all = message(b'd', row);
        all.extend((0..10).flat_map(|_| message(b'd', b"2\n")));
        match self.data {
            Data::Failed => all.extend(message(b'f', b"changed my mind\0")),
            _ => all.extend(message(b'c', b"")),
        }
        if self.extended {
            all.extend(message(b'S', b""));
        }
        all
    }
}
