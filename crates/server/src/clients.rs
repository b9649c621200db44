//! The connected clients, as any worker may see them: who they are (CLIENT LIST), and
//! how to reach them (CLIENT KILL, messages, served waits).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU32, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::blocking::Blocked;
use crate::commands::table::CommandTable;
use crate::net::mail::{Mail, Mailbox};
use crate::net::reactor::Token;

/// A client. The session that serves it owns the truth about its protocol state and
/// keeps what others ask about up to date here.
#[derive(Debug)]
pub struct Client {
    pub id: u64,
    pub address: String,
    pub local_address: String,
    pub fd: i32,
    /// Whether it came over a Unix socket.
    pub is_unix: bool,
    /// Unix time in milliseconds.
    pub connected_at_ms: i64,
    pub worker: usize,
    pub token: Token,
    mailbox: Arc<Mailbox>,
    /// Unix time in milliseconds of the last command.
    pub last_used_ms: AtomicI64,
    pub last_command: AtomicU16,
    pub query_bytes: AtomicU32,
    pub output_bytes: AtomicU64,
    pub killed: AtomicBool,
    pub state: Mutex<State>,
    /// The wait of a blocked client.
    pub wait: Mutex<Option<Arc<Blocked>>>,
}

/// What changes seldom about a client.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub name: Vec<u8>,
    pub library_name: Vec<u8>,
    pub library_version: Vec<u8>,
    pub user: String,
    pub db: u16,
    pub resp3: bool,
    pub subscriptions: usize,
    pub pattern_subscriptions: usize,
    pub shard_subscriptions: usize,
    /// Commands queued in MULTI, or -1.
    pub multi: i64,
    pub watched: usize,
    pub flags: ClientFlags,
    pub redirect: i64,
}

/// The letters of CLIENT LIST's `flags`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientFlags {
    /// Waits within a blocking command.
    pub blocked: bool,
    /// Waits for the end of CLIENT PAUSE.
    pub paused: bool,
    pub monitor: bool,
    pub no_evict: bool,
    pub no_touch: bool,
    pub tracking: bool,
    pub tracking_broken: bool,
    pub broadcast: bool,
    pub closing: bool,
    pub read_only: bool,
    pub dirty_watch: bool,
    pub replica: bool,
}

/// No command has run yet.
const NO_COMMAND: u16 = u16::MAX;

/// What a new client is made of.
pub struct NewClient {
    pub address: String,
    pub local_address: String,
    pub fd: i32,
    pub is_unix: bool,
    pub worker: usize,
    pub token: Token,
    pub mailbox: Arc<Mailbox>,
}

/// All clients by id.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: RwLock<BTreeMap<u64, Arc<Client>>>,
    last_id: AtomicU64,
    pub total_connections: AtomicU64,
    pub rejected_connections: AtomicU64,
}

impl Clients {
    pub fn add(&self, new: NewClient, now_ms: i64) -> Arc<Client> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Arc::new(Client::new(id, new, now_ms));
        self.by_id.write().insert(id, client.clone());
        client
    }

    pub fn remove(&self, id: u64) {
        self.by_id.write().remove(&id);
    }

    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.read().get(&id).cloned()
    }

    pub fn len(&self) -> usize {
        self.by_id.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All clients, the oldest first.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.by_id.read().values().cloned().collect()
    }

    /// All clients, if nobody is changing the list just now.
    pub fn all_at_once(&self) -> Option<Vec<Arc<Client>>> {
        let by_id = self.by_id.try_read()?;
        Some(by_id.values().cloned().collect())
    }

    /// The id that the next client will have.
    pub fn next_id(&self) -> u64 {
        self.last_id.load(Ordering::Relaxed) + 1
    }
}

impl Client {
    fn new(id: u64, new: NewClient, now_ms: i64) -> Self {
        Self {
            id,
            address: new.address,
            local_address: new.local_address,
            fd: new.fd,
            is_unix: new.is_unix,
            connected_at_ms: now_ms,
            worker: new.worker,
            token: new.token,
            mailbox: new.mailbox,
            last_used_ms: AtomicI64::new(now_ms),
            last_command: AtomicU16::new(NO_COMMAND),
            query_bytes: AtomicU32::new(0),
            output_bytes: AtomicU64::new(0),
            killed: AtomicBool::new(false),
            state: Mutex::new(State {
                user: "default".into(),
                multi: -1,
                redirect: -1,
                ..State::default()
            }),
            wait: Mutex::new(None),
        }
    }

    /// A client that is nobody: on its behalf the server executes what it finds in files.
    /// Mail for it goes to a connection that never is.
    pub fn internal(mailbox: Arc<Mailbox>) -> Arc<Self> {
        let nobody = NewClient {
            address: String::new(),
            local_address: String::new(),
            fd: -1,
            is_unix: false,
            worker: 0,
            token: Token(u32::MAX, u32::MAX),
            mailbox,
        };
        Arc::new(Self::new(u64::MAX, nobody, crate::clock::now_ms()))
    }

    /// Whether it connects from this machine.
    pub fn is_local(&self) -> bool {
        self.is_unix || self.address.starts_with("127.") || self.address.starts_with("[::1]:")
    }

    /// Puts mail for this client into its worker's mailbox.
    pub fn send(&self, mail: Mail) {
        self.mailbox.put(mail);
    }

    /// Asks the client's worker to close the connection.
    pub fn kill(&self) {
        if !self.killed.swap(true, Ordering::AcqRel) {
            self.send(Mail::Close(self.token));
        }
    }

    /// The client's type as CLIENT LIST TYPE and CLIENT KILL TYPE name it.
    pub fn type_name(&self) -> &'static str {
        let state = self.state.lock();
        if state.flags.replica {
            "replica"
        } else if state.subscriptions + state.pattern_subscriptions + state.shard_subscriptions > 0
        {
            "pubsub"
        } else {
            "normal"
        }
    }

    /// Bytes held for this client: its record and its buffers.
    pub fn memory_bytes(&self) -> u64 {
        let query = u64::from(self.query_bytes.load(Ordering::Relaxed));
        query + self.output_bytes.load(Ordering::Relaxed) + size_of::<Self>() as u64
    }

    /// The name of the command that it sent last.
    pub fn last_command_name<'c>(&self, commands: &'c CommandTable) -> &'c str {
        match self.last_command.load(Ordering::Relaxed) {
            NO_COMMAND => "NULL",
            last => &commands.get(last).full_name,
        }
    }

    /// The line of CLIENT LIST and CLIENT INFO, without the line break.
    pub fn describe(&self, now_ms: i64, commands: &CommandTable) -> String {
        let state = self.state.lock().clone();
        let command = self.last_command_name(commands);
        let output = self.output_bytes.load(Ordering::Relaxed);
        let query = self.query_bytes.load(Ordering::Relaxed);
        let mut line = String::with_capacity(320);
        // Writing to a string does not fail.
        let _ = write!(
            line,
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} \
             ssub={} multi={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll={} \
             omem={} tot-mem={} events=r cmd={} user={} redir={} resp={} lib-name={} lib-ver={}",
            self.id,
            self.address,
            self.local_address,
            self.fd,
            String::from_utf8_lossy(&state.name),
            (now_ms - self.connected_at_ms) / 1000,
            (now_ms - self.last_used_ms.load(Ordering::Relaxed)).max(0) / 1000,
            state.flag_letters(self.is_unix),
            state.db,
            state.subscriptions,
            state.pattern_subscriptions,
            state.shard_subscriptions,
            state.multi,
            query,
            u64::from(output > 0),
            output,
            self.memory_bytes(),
            command,
            state.user,
            state.redirect,
            if state.resp3 { 3 } else { 2 },
            String::from_utf8_lossy(&state.library_name),
            String::from_utf8_lossy(&state.library_version),
        );
        line
    }
}

impl State {
    fn flag_letters(&self, is_unix: bool) -> String {
        let flags = self.flags;
        let subscribed =
            self.subscriptions + self.pattern_subscriptions + self.shard_subscriptions > 0;
        let letters: String = [
            (flags.replica, 'S'),
            (flags.monitor, 'O'),
            (subscribed, 'P'),
            (self.multi >= 0, 'x'),
            (flags.blocked || flags.paused, 'b'),
            (flags.tracking, 't'),
            (flags.tracking_broken, 'R'),
            (flags.broadcast, 'B'),
            (flags.dirty_watch, 'd'),
            (flags.closing, 'c'),
            (is_unix, 'U'),
            (flags.read_only, 'r'),
            (flags.no_evict, 'e'),
            (flags.no_touch, 'T'),
        ]
        .into_iter()
        .filter_map(|(set, letter)| set.then_some(letter))
        .collect();
        if letters.is_empty() {
            "N".into()
        } else {
            letters
        }
    }
}
