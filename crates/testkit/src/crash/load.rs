//! The clients: each sends its steps, several at a time, until its connection breaks.
//!
//! Invariant: a step is noted as sent before any of its bytes leaves, and as acknowledged
//! after its whole reply has arrived.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::CrashError;
use super::dataset::{Dataset, Owner};
use super::plan::Policy;
use crate::resp::{Connection, Reply, WireError, append_command};
use crate::rng::Rng;

/// Steps that are under way at once, at most.
const STEPS_IN_FLIGHT: usize = 12;
/// A client never gets further than this in one life: what it writes is read again.
const STEPS_MAX: usize = 40_000;

/// How far a client is, for others to look at.
#[derive(Debug, Default)]
pub struct Progress {
    /// The last step of which anything may have been sent.
    pub sent: AtomicU64,
    /// The last step that was acknowledged.
    pub acknowledged: AtomicU64,
}

/// What a client sent, and what of it was acknowledged, since its life began.
#[derive(Debug)]
pub struct History {
    /// The last step that was there before.
    pub before: u64,
    /// When each later one was sent.
    pub sent: Vec<Instant>,
    /// When each was acknowledged, as far as they were.
    pub acknowledged: Vec<Instant>,
    /// Up to this step the server has said that all is on disk.
    pub synced: u64,
}

impl History {
    /// The last step that was acknowledged at `time`.
    pub fn acknowledged_at(&self, time: Instant) -> u64 {
        let count = self.acknowledged.partition_point(|&at| at <= time);
        self.before + count as u64
    }

    /// The last step that was acknowledged at all.
    pub fn last_acknowledged(&self) -> u64 {
        self.before + self.acknowledged.len() as u64
    }

    /// The last step that was sent.
    pub fn last_sent(&self) -> u64 {
        self.before + self.sent.len() as u64
    }
}

/// One client.
pub struct Client<'r> {
    /// Whose keys it writes.
    pub owner: Owner,
    /// What they hold.
    pub state: Dataset,
    /// The last step that made them so.
    pub step: u64,
    /// Its pauses and the size of its batches.
    pub rng: Rng,
    /// Whether it asks now and then what is on disk.
    pub policy: Policy,
    /// For others to look at.
    pub progress: &'r Progress,
    /// The connection is about to break: then that is no failure.
    pub killed: &'r AtomicBool,
}

impl Client<'_> {
    /// Sends steps until the connection breaks or there have been enough.
    ///
    /// # Errors
    /// The server answers with an error, or breaks the connection without being killed.
    pub fn run(mut self, mut connection: Connection) -> Result<History, CrashError> {
        connection.set_reply_timeout(Duration::from_secs(20));
        let mut history = History {
            before: self.step,
            sent: Vec::new(),
            acknowledged: Vec::new(),
            synced: self.step,
        };
        while history.sent.len() < STEPS_MAX {
            match self.batch(&mut connection, &mut history) {
                Ok(()) => {}
                Err(CrashError::Wire(_)) if self.killed.load(Ordering::SeqCst) => break,
                Err(error) => return Err(error),
            }
            match self.rng.below(4) {
                0 => {}
                _ => std::thread::sleep(Duration::from_micros(self.rng.next() % 2_000)),
            }
        }
        Ok(history)
    }

    /// Sends some steps at once and awaits the replies.
    fn batch(
        &mut self,
        connection: &mut Connection,
        history: &mut History,
    ) -> Result<(), CrashError> {
        let steps = 1 + self.rng.below(STEPS_IN_FLIGHT);
        let mut bytes = Vec::new();
        let mut replies = Vec::new();
        for _ in 0..steps {
            self.step += 1;
            let commands = self.state.step(self.owner, self.step);
            replies.push(commands.len());
            for command in &commands {
                append_command(&mut bytes, command);
            }
        }
        history
            .sent
            .resize(history.sent.len() + steps, Instant::now());
        self.progress.sent.store(self.step, Ordering::SeqCst);
        connection.send_bytes(&bytes)?;
        for commands in replies {
            for _ in 0..commands {
                expect_no_error(connection.read_reply()?.reply)?;
            }
            history.acknowledged.push(Instant::now());
            let step = history.last_acknowledged();
            self.progress.acknowledged.store(step, Ordering::SeqCst);
        }
        if self.policy == Policy::EverySecond && self.rng.chance(1) {
            let reply = connection.command(&["WAITAOF", "1", "0", "0"])?;
            expect_no_error(reply)?;
            history.synced = self.step;
        }
        Ok(())
    }
}

fn expect_no_error(reply: Reply) -> Result<(), CrashError> {
    match reply.error() {
        // What a server says that is about to be gone is its own affair.
        None => Ok(()),
        Some(text) => Err(CrashError::Reply(
            String::from_utf8_lossy(text).into_owned(),
        )),
    }
}

/// Opens the connections of `count` clients.
///
/// # Errors
/// Nobody listens.
pub fn connect(
    count: usize,
    open: impl Fn() -> Result<Connection, WireError>,
) -> Result<Vec<Connection>, WireError> {
    (0..count).map(|_| open()).collect()
}
