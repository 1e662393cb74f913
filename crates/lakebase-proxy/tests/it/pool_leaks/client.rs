//! A client that speaks bytes and waits for answers, on a thread of its own.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use proptest::prelude::*;

use super::model::Model;
use super::step::{End, Step};
use crate::support::{TERMINATE, query, startup};

/// What a session shows of itself. Locks are those of this session, channels those that it listens to.
const SEES: &str = "select concat_ws('|', current_user = session_user, current_setting('application_name'), current_setting('geqo'), \
    (select coalesce(string_agg(name || '=' || setting, ',' order by name collate \"C\"), '') from pg_catalog.pg_settings \
      where source = 'session' and name <> 'application_name'), \
    (select coalesce(string_agg(relname, ',' order by relname), '') from pg_catalog.pg_class \
      where relnamespace = pg_my_temp_schema() and relkind = 'r'), \
    (select coalesce(string_agg(objid::text, ',' order by objid), '') from pg_catalog.pg_locks \
      where locktype = 'advisory' and pid = pg_backend_pid()), \
    (select coalesce(string_agg(name, ',' order by name), '') from pg_catalog.pg_prepared_statements), \
    (select coalesce(string_agg(name, ',' order by name), '') from pg_catalog.pg_cursors where is_holdable), \
    (select coalesce(string_agg(channel, ',' order by channel), '') from pg_listening_channels() channel))";

/// What a client says about itself at its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    name: Option<&'static str>,
    geqo: bool,
}

impl Identity {
    /// The name of clients that name none.
    pub(super) const LOGIN: &str = concat!("lakebase-rust/", env!("CARGO_PKG_VERSION"));

    pub(super) fn any() -> impl Strategy<Value = Self> {
        let name = prop_oneof![Just(None), Just(Some("one")), Just(Some("it's \\ two"))];
        (name, prop::bool::weighted(0.98)).prop_map(|(name, geqo)| Self { name, geqo })
    }

    pub(super) fn application_name(&self) -> &'static str {
        self.name.unwrap_or(Self::LOGIN)
    }

    pub(super) fn geqo(&self) -> &'static str {
        if self.geqo { "on" } else { "off" }
    }
}

pub(super) struct Client {
    stream: BufReader<TcpStream>,
    /// Of the last `ReadyForQuery`.
    pub(super) status: u8,
    /// It got a notification.
    pub(super) heard: bool,
}

impl Client {
    /// Logs in.
    pub(super) fn open(proxy: SocketAddr, identity: Identity) -> Self {
        let stream = TcpStream::connect(proxy).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = Self { stream: BufReader::new(stream), status: b'I', heard: false };
        let mut parameters = vec![("user", "somebody")];
        parameters.extend(identity.name.map(|name| ("application_name", name)));
        if !identity.geqo {
            parameters.push(("options", "-c geqo=off"));
        }
        client.say(&startup(0, &parameters));
        client.hear(b"Z");
        client
    }

    fn say(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Reads up to a message of one of these types; which, and the body of the last row.
    fn hear(&mut self, kinds: &[u8]) -> (u8, Vec<u8>) {
        let mut row = Vec::new();
        loop {
            let mut header = [0; 5];
            self.stream.read_exact(&mut header).unwrap();
            let [kind, length @ ..] = header;
            let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
            self.stream.read_exact(&mut body).unwrap();
            match kind {
                b'A' => self.heard = true,
                b'Z' => self.status = body[0],
                b'D' => row.clone_from(&body),
                _ => {}
            }
            if kinds.contains(&kind) {
                return (kind, row);
            }
        }
    }

    /// What the session shows of itself.
    pub(super) fn sees(&mut self) -> String {
        self.say(&query(SEES));
        let (_, row) = self.hear(b"Z");
        String::from_utf8_lossy(row.get(6..).unwrap_or_default()).into_owned()
    }

    /// Does what the model says can be done, and waits for all answers.
    pub(super) fn performs(&mut self, step: &Step, worker: u32, model: &mut Model) {
        if !model.allows(step) {
            return;
        }
        match step {
            Step::Copy(copy) => {
                self.say(&query(Step::TARGET));
                self.hear(b"Z");
                self.say(&copy.begins());
                // Where the transaction has failed, it does not begin, and a `Sync` is answered.
                if self.hear(b"GZ").0 == b'G' {
                    self.say(&copy.ends());
                    self.hear(b"Z");
                }
            }
            Step::Pipeline(_) => {
                self.say(&step.says(worker));
                self.hear(b"Z");
                self.hear(b"Z");
            }
            step => {
                self.say(&step.says(worker));
                self.hear(b"Z");
            }
        }
        model.performs(step);
    }

    pub(super) fn ends(mut self, end: &End, worker: u32) {
        // The proxy may have closed already.
        let _ = match end {
            End::Terminate => self.stream.get_mut().write_all(TERMINATE),
            End::Close => Ok(()),
            End::Cut(step, share, bye) => {
                let said = step.says(worker);
                let bye: &[u8] = if *bye { TERMINATE } else { &[] };
                let cut = &said[..said.len() * share / 1000];
                self.stream.get_mut().write_all(&[cut, bye].concat())
            }
        };
    }
}
