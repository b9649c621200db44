//! A server on a faulty disk, and what is left of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ochre_journal::disk::FaultyDisk;
use ochre_server::config::choices::AppendFsync;
use ochre_server::config::values::{Origin, SaveRules, Value};
use ochre_server::config::{Config, Startup};
use ochre_server::log::Log;
use ochre_server::{Running, Server};
use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::Address;

/// What a state takes to come, at the very most.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the AOF's failures are answered with.
pub const NO_SPACE: &str = "MISCONF Errors writing to the AOF file: No space left on device";
pub const BAD_DISK: &str = "MISCONF Errors writing to the AOF file: Input/output error";

/// A server and its disk.
pub struct Fixture {
    pub disk: FaultyDisk,
    running: Running,
}

/// A configuration with an append-only file, and no snapshots.
pub fn appending(policy: AppendFsync) -> Config {
    let mut config = Config::default();
    config.network.port = 0;
    config.network.bind.0 = vec!["127.0.0.1".into()];
    config.threads.workers = 2;
    let persistence = &mut config.persistence;
    // The root is the folder that is always there, on this disk and on a real one.
    persistence
        .dir
        .assign(&[b"/"], Origin::Set)
        .expect("the root");
    persistence.save = SaveRules(Vec::new());
    persistence.append_only = true;
    persistence.append_fsync = policy;
    config
}

/// A configuration with rules for snapshots, and nothing else.
pub fn saving() -> Config {
    let mut config = appending(AppendFsync::No);
    config.persistence.append_only = false;
    let rule = config
        .persistence
        .save
        .assign(&[b"3600", b"1000000"], Origin::Set);
    rule.expect("a rule");
    config
}

impl Fixture {
    pub fn start(config: &Config, disk: FaultyDisk) -> Self {
        let startup = Startup {
            config: config.clone(),
            ..Startup::default()
        };
        let mut running = Server::launch_on(startup, Log::silent(), Arc::new(disk.clone()))
            .unwrap_or_else(|error| panic!("{error}"));
        running.loaded().unwrap_or_else(|error| panic!("{error}"));
        Fixture { disk, running }
    }

    pub fn address(&self) -> Address {
        Address::Tcp(self.running.addresses()[0])
    }

    pub fn connect(&self) -> Connection {
        let mut connection = Connection::open(&self.address()).expect("a connection");
        connection.set_reply_timeout(PATIENCE);
        connection
    }

    /// A server on what a power failure now would leave.
    pub fn survivor(&self) -> Fixture {
        let config = self.running.server().live().config.clone();
        Fixture::start(&config, self.disk.crash())
    }

    /// Waits until INFO has this line.
    pub fn await_info(&self, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut last = String::new();
        while Instant::now() < deadline {
            // A connection each time: a reply made right before the disk failed stays
            // withheld with those that wait for it.
            let mut connection = self.connect();
            connection.set_reply_timeout(Duration::from_millis(500));
            if let Ok(info) = connection.command(&["INFO", "persistence"]) {
                last = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
            }
            if last.lines().any(|other| other.trim_end() == line) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("no {line} in\n{last}");
    }

    /// Runs a snapshot or rewrite and waits until it has ended; where it could not even
    /// begin, that is its end.
    pub fn run_job(&self, command: &str) {
        match ask(&mut self.connect(), command) {
            Reply::Simple(_) => {}
            Reply::Error(text) if text.starts_with(b"ERR Can't execute an AOF") => {}
            other => panic!("{command}: {other:?}"),
        }
        self.await_info("rdb_bgsave_in_progress:0");
        self.await_info("aof_rewrite_in_progress:0");
    }
}

/// Sends a command given as a line of words.
pub fn ask(connection: &mut Connection, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    connection
        .command(&words)
        .unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Sends a command that is answered with an error.
pub fn refusal(connection: &mut Connection, line: &str) -> String {
    let reply = ask(connection, line);
    match reply.error() {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => panic!("{line} is answered with {reply:?}"),
    }
}

/// The value of a counter; 0 when it is not there.
pub fn count(connection: &mut Connection, key: &str) -> u64 {
    let reply = ask(connection, &format!("GET {key}"));
    match reply.text() {
        Some(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok()),
        None if reply.is_null() => Some(0),
        None => None,
    }
    .unwrap_or_else(|| panic!("{key} is {reply:?}"))
}

/// Waits for the reply of an INCR that was sent before.
pub fn counted(connection: &mut Connection) -> i64 {
    let reply = connection.read_reply().expect("a reply").reply;
    reply
        .integer()
        .unwrap_or_else(|| panic!("{reply:?} instead of a count"))
}

/// Whether nothing has arrived yet. It may only be slow: so this can pass wrongly, and
/// never fail wrongly.
pub fn is_silent(connection: &mut Connection) -> bool {
    !connection.readable(Duration::from_millis(30))
}
