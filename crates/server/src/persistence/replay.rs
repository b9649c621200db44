//! The commands of an append-only file, executed on all cores.
//!
//! ```text
//!            ┌─ plan: who executes what ──► executor: the commands of its stripes, in order
//!   file ──► │                         └──► executor: …
//!            └─ what concerns several executors, or the whole keyspace: all the others
//!               wait, and it is executed here
//! ```
//!
//! Nobody reads the keyspace meanwhile, so only the order of the commands on each key
//! matters, and a transaction need not be isolated; that one which is not whole is not
//! executed at all, is seen to by the reader. Deadlines are not enforced: the file says
//! itself when a key went.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ochre_journal::aof::{AofReader, Command, CommandBatch, ReadError};
use ochre_resp::{Protocol, Reply};
use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;

use crate::clients::Client;
use crate::commands::spec::{Flags, Run};
use crate::commands::table::{KeyPlan, Known};
use crate::execute::{self, Call, Local, Role};
use crate::live::Live;
use crate::script::functions::Existing;
use crate::server::Server;
use crate::session::Session;
use crate::threads::{self, Duty};
use crate::unit::{self, Kind, Unit};

/// About how many bytes of commands are planned and handed over at a time.
const BATCH_BYTES: usize = 256 << 10;
/// How many batches an executor may be behind.
const BATCHES_AHEAD: usize = 4;
/// So many commands that fail are told of in the log.
const NOTED_FAILURES_MAX: u64 = 10;

/// Why a file could not be replayed.
#[derive(Debug)]
pub enum ReplayError {
    /// The file ends within a command or transaction; all before was executed.
    Torn { valid_up_to: u64, error: String },
    /// The bytes are none that were ever written, or cannot be read.
    Format(String),
    /// There is no such command, or no such database.
    Command(String),
}

/// Executes commands on behalf of nobody.
pub struct Performer {
    server: Arc<Server>,
    live: Arc<Live>,
    session: Session,
    local: Local,
    reply: Vec<u8>,
}

impl Performer {
    /// One for the calling thread.
    pub fn new(server: &Arc<Server>) -> Self {
        let client = Client::internal(server.mailboxes[0].mailbox.clone());
        let mut local = Local::new(server.commands.len());
        local.role = Role::Replay;
        Self {
            server: server.clone(),
            live: server.live(),
            session: Session::new(client, true),
            local,
            reply: Vec::new(),
        }
    }

    /// Executes a command on a database; returns the line of the error, if it is one.
    fn perform(&mut self, db: u16, known: &Known, argv: &[&[u8]]) -> Option<Vec<u8>> {
        self.session.db = db;
        let mut out = Reply::with_buffer(std::mem::take(&mut self.reply), Protocol::Resp2);
        let mut call = Call {
            server: &self.server,
            live: &self.live,
            session: &mut self.session,
            local: &mut self.local,
            named: None,
        };
        let mut unit = Unit::new(&mut call, Kind::Single);
        let outcome = unit.dispatch(&mut call, known, argv, &[], &mut out);
        unit.conclude(&mut call);
        let failed = out.errors() > 0;
        let mut reply = out.into_bytes();
        let error = match outcome {
            Err(error) => Some(error.line().into_owned()),
            Ok(_) if failed => Some(reply.trim_ascii_end().to_vec()),
            Ok(_) => None,
        };
        reply.clear();
        self.reply = reply;
        error
    }
}

/// Loads a function library found in a snapshot.
///
/// # Errors
/// What FUNCTION LOAD answers.
pub fn load_function(server: &Arc<Server>, code: &[u8], existing: Existing) -> Result<(), String> {
    let argv: &[&[u8]] = match existing {
        Existing::Keep => &[b"FUNCTION", b"LOAD", code],
        Existing::Replace => &[b"FUNCTION", b"LOAD", b"REPLACE", code],
    };
    let known = execute::resolve(server, argv).map_err(|error| text(&error.line()))?;
    match Performer::new(server).perform(0, known, argv) {
        Some(error) => Err(text(&error)),
        None => Ok(()),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Executes all commands of a file from `offset` on, where `input` stands. Nobody else
/// works on the keys.
///
/// # Errors
/// See [`ReplayError`].
pub fn replay(
    server: &Arc<Server>,
    input: Box<dyn Read + Send>,
    offset: u64,
) -> Result<(), ReplayError> {
    let count = server.live().config.threads.workers.clamp(1, 64) as usize;
    let idle = Arc::new(Outstanding::default());
    let failures = Arc::new(AtomicU64::new(0));
    std::thread::scope(|scope| {
        let mut executors = Vec::new();
        for number in 0..count {
            let (sender, plans) = sync_channel(BATCHES_AHEAD);
            let (server, idle, failures) = (server, idle.clone(), failures.clone());
            let started = std::thread::Builder::new()
                .name(format!("ochre-replay-{number}"))
                // Commands may be scripts.
                .stack_size(crate::server::WORKER_STACK_BYTES)
                .spawn_scoped(scope, move || {
                    threads::begin(Duty::Serving, &server.live().config, &server.log);
                    execute_plans(server, number as u16, &plans, &idle, &failures);
                });
            if started.is_err() {
                break;
            }
            executors.push(sender);
        }
        let mut planner = Planner {
            server,
            executors,
            outstanding: idle,
            own: Performer::new(server),
            failures,
            db: 0,
        };
        let result = planner.run(input, offset);
        planner.outstanding.wait();
        result
    })
}

/// Who executes a command of a plan.
const HERE: u16 = u16::MAX;
const NOBODY: u16 = u16::MAX - 1;

/// A run of commands, and who executes which of them.
struct Plan {
    batch: CommandBatch,
    /// By command: its executor and database.
    tasks: Vec<(u16, u16)>,
}

/// Part of a plan.
struct Share {
    plan: Arc<Plan>,
    commands: Range<usize>,
}

/// How many shares are not executed yet.
#[derive(Default)]
struct Outstanding {
    shares: Mutex<usize>,
    ended: Condvar,
}

impl Outstanding {
    fn add(&self, count: usize) {
        *self.shares.lock() += count;
    }

    fn end(&self) {
        let mut shares = self.shares.lock();
        *shares -= 1;
        if *shares == 0 {
            self.ended.notify_all();
        }
    }

    fn wait(&self) {
        let mut shares = self.shares.lock();
        while *shares > 0 {
            self.ended.wait(&mut shares);
        }
    }
}

/// Ends a share also when its execution panics: then the others must not wait.
struct EndOfShare<'o>(&'o Outstanding);

impl Drop for EndOfShare<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn execute_plans(
    server: &Arc<Server>,
    number: u16,
    shares: &Receiver<Share>,
    outstanding: &Outstanding,
    failures: &AtomicU64,
) {
    let mut performer = Performer::new(server);
    while let Ok(share) = shares.recv() {
        let _end = EndOfShare(outstanding);
        let range = share.commands.clone();
        let tasks = share.plan.tasks[range.clone()].iter();
        let commands = share.plan.batch.commands().skip(range.start);
        for (&(executor, db), command) in tasks.zip(commands) {
            if executor == number {
                perform(&mut performer, db, &command, failures);
            }
        }
    }
}

/// Executes a command that was found before; notes what goes wrong.
fn perform(performer: &mut Performer, db: u16, command: &Command<'_>, failures: &AtomicU64) {
    let argv: SmallVec<[&[u8]; 8]> = command.arguments().collect();
    let server = performer.server.clone();
    let error = match execute::resolve(&server, &argv) {
        Ok(known) => performer.perform(db, known, &argv),
        Err(error) => Some(error.line().into_owned()),
    };
    if let Some(error) = error
        && failures.fetch_add(1, Ordering::Relaxed) < NOTED_FAILURES_MAX
    {
        server.log.warning(&format!(
            "A command of the append only file, at offset {}, has failed: {}",
            command.offset(),
            text(&error)
        ));
    }
}

/// Reads, plans, and executes what concerns all.
struct Planner<'s> {
    server: &'s Arc<Server>,
    executors: Vec<SyncSender<Share>>,
    outstanding: Arc<Outstanding>,
    own: Performer,
    failures: Arc<AtomicU64>,
    db: u16,
}

impl Planner<'_> {
    fn run(&mut self, input: Box<dyn Read + Send>, offset: u64) -> Result<(), ReplayError> {
        let mut reader = AofReader::new(input, offset);
        loop {
            let batch = match reader.next_batch(BATCH_BYTES) {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(()),
                Err(ReadError::Truncated {
                    valid_up_to,
                    offset,
                    torn,
                }) => {
                    return Err(ReplayError::Torn {
                        valid_up_to,
                        error: format!("the file ends within {torn} (at byte {offset})"),
                    });
                }
                Err(error) => return Err(ReplayError::Format(error.to_string())),
            };
            let progress = &self.server.persistence.loading.progress;
            if progress.is_aborted() {
                return Err(ReplayError::Format("loading was aborted".to_owned()));
            }
            progress.set_bytes(batch.end_offset());
            self.take(batch)?;
        }
    }

    fn take(&mut self, batch: CommandBatch) -> Result<(), ReplayError> {
        let mut tasks = Vec::with_capacity(batch.len());
        for command in batch.commands() {
            tasks.push(self.assign(&command)?);
        }
        let plan = Arc::new(Plan { batch, tasks });
        let mut from = 0;
        while from < plan.tasks.len() {
            let here = plan.tasks[from..].iter().position(|task| task.0 == HERE);
            let to = here.map_or(plan.tasks.len(), |at| from + at);
            self.hand_out(&plan, from..to);
            from = to;
            if here.is_some() {
                self.outstanding.wait();
            }
            for (command, &(executor, db)) in plan.batch.commands().zip(&plan.tasks).skip(from) {
                if executor != HERE {
                    break;
                }
                perform(&mut self.own, db, &command, &self.failures);
                from += 1;
            }
        }
        Ok(())
    }

    /// Gives each executor its share of some commands.
    fn hand_out(&self, plan: &Arc<Plan>, commands: Range<usize>) {
        if commands.is_empty() {
            return;
        }
        for (number, executor) in self.executors.iter().enumerate() {
            let mut tasks = plan.tasks[commands.clone()].iter();
            if tasks.any(|task| usize::from(task.0) == number) {
                self.outstanding.add(1);
                let share = Share {
                    plan: plan.clone(),
                    commands: commands.clone(),
                };
                if executor.send(share).is_err() {
                    // It panicked, which has been reported.
                    self.outstanding.end();
                }
            }
        }
    }

    /// Who executes a command, on which database.
    fn assign(&mut self, command: &Command<'_>) -> Result<(u16, u16), ReplayError> {
        if command.is_multi() || command.is_exec() {
            return Ok((NOBODY, self.db));
        }
        let argv: SmallVec<[&[u8]; 8]> = command.arguments().collect();
        let known = execute::resolve(self.server, &argv).map_err(|_| {
            ReplayError::Command(format!(
                "Unknown command '{}' (at byte {})",
                text(argv[0]),
                command.offset()
            ))
        })?;
        if known.command.name == "select" {
            self.db = self.database(&argv).ok_or_else(|| {
                ReplayError::Command(format!("Invalid database (at byte {})", command.offset()))
            })?;
            return Ok((NOBODY, self.db));
        }
        Ok((self.executor(known, &argv), self.db))
    }

    fn database(&self, argv: &[&[u8]]) -> Option<u16> {
        let number: u16 = std::str::from_utf8(argv[1]).ok()?.parse().ok()?;
        (usize::from(number) < self.server.store.databases()).then_some(number)
    }

    fn executor(&self, known: &Known, argv: &[&[u8]]) -> u16 {
        let count = self.executors.len() as u32;
        let on_keys = matches!(
            known.command.run,
            Run::Write(_) | Run::Prepared(_) | Run::Read(_)
        );
        if !on_keys || known.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) || count == 0 {
            return HERE;
        }
        let store = &self.server.store;
        let of = |stripe: u32| (stripe % count) as u16;
        match known.plan {
            KeyPlan::One(index) => of(store.stripe_of(argv[index])),
            KeyPlan::None => HERE,
            KeyPlan::Many => {
                let stripes = unit::stripes_of(store, known, argv);
                match stripes.first() {
                    Some(&first) if stripes.iter().all(|&stripe| of(stripe) == of(first)) => {
                        of(first)
                    }
                    _ => HERE,
                }
            }
        }
    }
}
